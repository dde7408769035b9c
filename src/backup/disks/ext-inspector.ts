import { closeSync, constants, openSync } from 'node:fs';
import { chown, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { MullionError } from '../../contract/errors.ts';
import { JAIL_UID_BASE } from '../../core/naming.ts';
import { commandEnvironment, run, spawnCommand } from '../../host/run.ts';
import type { DiskInspector } from '../backup.ts';
import { MOST_LINKS, parseStat, quoted, targetOf } from './debugfs-text.ts';

const CHECK_MS = 3_600_000;
/** The descriptor that carries the disk: its folder stays closed to the program. */
const DISK = '/proc/self/fd/3';
/** e2fsck(8): 0 clean, 1 and 2 corrected. */
const CORRECTED = [0, 1, 2];
const UNCLEAN = 4;

/** A uid that owns nothing else, no capability, no network, and an end to what it may use. */
const CONFINED = [
  'setpriv',
  '--pdeathsig',
  'KILL',
  'unshare',
  '--net',
  '--ipc',
  'setpriv',
  `--reuid=${JAIL_UID_BASE}`,
  `--regid=${JAIL_UID_BASE}`,
  '--clear-groups',
  '--no-new-privs',
  '--bounding-set=-all',
  '--inh-caps=-all',
  'prlimit',
  '--as=4294967296',
  '--core=0',
  '--nproc=16',
  '--',
];

/** ext2, ext3 and ext4 without partitions, by e2fsprogs. */
export class ExtInspector implements DiskInspector {
  async check(volume: string, signal: AbortSignal): Promise<void> {
    const entries = await readdir(volume, { withFileTypes: true });
    for (const { name } of entries.filter((entry) => entry.isFile() && entry.name.endsWith('.raw'))) {
      const result = await confined(join(volume, name), ['e2fsck', '-f', '-n', DISK], signal, [
        ...CORRECTED,
        UNCLEAN,
        8,
      ]);
      // What is no file system of this kind is for its guest alone to judge, which booted from it.
      if (result.code === 8 && /bad magic number/i.test(result.stdout + result.stderr)) continue;
      if (result.code === 0) continue;
      throw new MullionError('backup_damaged', `The file system on ${name} has errors.`, {
        remedy: 'Make a new backup; check the file system inside the VPS',
        details: { output: result.stdout.slice(-2000) },
      });
    }
  }

  async read(disk: string, path: string, signal: AbortSignal): Promise<Readable> {
    // Taken while it ran: what its journal holds comes first.
    await confined(disk, ['e2fsck', '-E', 'journal_only', '-y', DISK], signal, [...CORRECTED, UNCLEAN, 8]);
    const file = await this.#resolve(disk, path, signal);
    return stream(disk, ['debugfs', '-R', `cat ${quoted(file)}`, DISK], signal);
  }

  /** The regular file that the path leads to, through links. */
  async #resolve(disk: string, path: string, signal: AbortSignal): Promise<string> {
    let current = path;
    for (let links = 0; links <= MOST_LINKS; links++) {
      const { stdout, stderr } = await confined(
        disk,
        ['debugfs', '-R', `stat ${quoted(current)}`, DISK],
        signal,
        [0, 1],
      );
      if (/bad magic number|filesystem not open/i.test(stdout + stderr)) {
        throw new MullionError(
          'not_supported',
          'The disk of this backup has no file system that can be read.',
          {
            remedy: 'Restore the whole backup under a new name, and copy the file out of that',
          },
        );
      }
      const node = parseStat(stdout);
      if (node === undefined) {
        throw new MullionError('not_found', `There is no file ${path} in the backup.`, { details: { path } });
      }
      if (node.type === 'regular') return current;
      if (node.type !== 'symlink') break;
      current = targetOf(current, node.target ?? (await this.#longTarget(disk, current, signal)));
    }
    throw new MullionError(
      'invalid_request',
      `${path} cannot be brought back alone: it is no regular file.`,
      {
        remedy: 'Name one regular file, or restore the whole backup under a new name',
        details: { path },
      },
    );
  }

  /** The target of a link that is too long for its inode is its content. */
  async #longTarget(disk: string, path: string, signal: AbortSignal): Promise<string> {
    const { stdout } = await confined(disk, ['debugfs', '-R', `cat ${quoted(path)}`, DISK], signal, [0]);
    return stdout.slice(0, 4096);
  }
}

async function confined(
  disk: string,
  argv: readonly string[],
  signal: AbortSignal,
  okCodes: readonly number[],
) {
  const fd = await openFor(disk);
  try {
    return await run([...CONFINED, ...argv], { extraFds: [fd], okCodes, signal, timeoutMs: CHECK_MS });
  } finally {
    closeSync(fd);
  }
}

async function openFor(disk: string): Promise<number> {
  await chown(disk, JAIL_UID_BASE, JAIL_UID_BASE);
  return openSync(disk, constants.O_RDONLY | constants.O_NOFOLLOW);
}

async function stream(disk: string, argv: readonly string[], signal: AbortSignal): Promise<Readable> {
  const fd = await openFor(disk);
  const child = spawnCommand([...CONFINED, ...argv], {
    stdio: ['ignore', 'pipe', 'ignore', fd],
    env: commandEnvironment(),
  });
  closeSync(fd);
  const out = new PassThrough();
  child.stdout?.pipe(out, { end: false });
  const end = (): void => {
    child.kill('SIGKILL');
  };
  signal.addEventListener('abort', end, { once: true });
  out.once('close', end);
  child.once('error', (failure) => out.destroy(failure));
  child.once('close', (code) => {
    signal.removeEventListener('abort', end);
    if (code === 0) out.end();
    else out.destroy(new MullionError('command_failed', 'The file cannot be read off the disk.'));
  });
  return out;
}
