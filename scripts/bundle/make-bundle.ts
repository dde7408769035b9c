import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import * as z from 'zod';
import { bundledFiles, thirdPartyLicenses } from './content.ts';

export interface Bundle {
  /** Also the folder that the archive makes: mullion-VERSION-linux-PROCESSOR. */
  readonly name: string;
  readonly path: string;
  /** SHA-256 of the archive. */
  readonly digest: string;
  readonly size: number;
  readonly unpacked: number;
}

/** Of every file, so that the same sources give the same archive: 1980, which every tool takes for a date. */
const TIME = '1980-01-01T00:00:00Z';
const PLATFORM = process.arch;

/**
 * Builds and packs the checkout at `root` into `folder`. What is packed depends on the sources, the lock file and
 * nothing else: not on time, umask, owner, or the order of a folder. `level` of compression as gzip(1) has it.
 */
export async function makeBundle(root: string, folder: string, level = 9): Promise<Bundle> {
  command([join(root, 'scripts/bootstrap.sh')]);
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
  const name = `mullion-${version}-linux-${PLATFORM}`;
  const staging = await mkdtemp(join(tmpdir(), 'mullion-bundle-'));
  try {
    await stage(root, join(staging, name));
    const tar = join(staging, 'bundle.tar');
    command([
      'tar',
      ...['--create', '--format=ustar', '--sort=name', `--mtime=${TIME}`],
      ...['--owner=root:0', '--group=root:0', '--numeric-owner', `--directory=${staging}`],
      ...[`--file=${tar}`, name],
    ]);
    await mkdir(folder, { recursive: true });
    const path = join(folder, `${name}.tar.gz`);
    const digest = await compress(tar, `${path}.new`, level);
    await rename(`${path}.new`, path);
    return { name, path, digest, size: (await stat(path)).size, unpacked: (await stat(tar)).size };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function stage(root: string, target: string): Promise<void> {
  for (const path of bundledFiles(root, PLATFORM)) {
    const copy = join(target, path);
    await mkdir(dirname(copy), { recursive: true });
    await copyFile(join(root, path), copy);
    const { mode } = await stat(join(root, path));
    await chmod(copy, (mode & 0o100) === 0 ? 0o644 : 0o755);
  }
  await writeFile(join(target, 'THIRD-PARTY-LICENSES.txt'), thirdPartyLicenses(root));
  command(['chmod', '--recursive', 'u=rwX,go=rX', target]);
}

/** Any Debian unpacks gzip; its header bears no time (RFC 1952, MTIME 0). */
async function compress(source: string, target: string, level: number): Promise<string> {
  const hash = createHash('sha256');
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(createReadStream(source), createGzip({ level }), hashing, createWriteStream(target));
  return hash.digest('hex');
}

function command(argv: readonly [string, ...string[]]): void {
  const { status, stderr, error } = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${argv.join(' ')}: ${error?.message ?? stderr}`);
}
