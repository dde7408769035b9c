import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { BackupBackend, RepositoryPlace } from '../../src/backup/backup.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { quietly } from '../conformance/backups.ts';
import { runCommand } from './command.ts';
import { resticIn } from './restic.ts';
import { eventually, scratchDirectory } from './scratch.ts';

export const signal = new AbortController().signal;
export const MIB = 1024 * 1024;

/** A folder, a repository that it is saved into, and a look at both that does not go through the product. */
export class Ground implements Disposable {
  readonly scratch = scratchDirectory('backup-faults');
  readonly source = join(this.scratch.path, 'source');
  readonly place: RepositoryPlace;
  readonly backend: BackupBackend;

  constructor(repository = join(this.scratch.path, 'repository'), lockMs = 3_000) {
    this.backend = resticIn(this.scratch.path, { lockMs, retryMs: 3_000 });
    this.place = { id: 'aaaaaaaaaaaa', url: repository };
    mkdirSync(this.source);
    for (let file = 0; file < 4; file++) {
      writeFileSync(join(this.source, `file${file}`), randomBytes(24 * MIB));
    }
  }

  save(onProgress: () => void = () => undefined) {
    return this.backend.save(this.place, { folder: this.source, labels: { a: '1' }, ...quietly, onProgress });
  }

  /** All is well: what is saved now comes back whole, and can be forgotten. */
  async prove(): Promise<void> {
    const { saved } = await this.save();
    const target = join(this.scratch.path, `target-${saved.id.slice(0, 8)}`);
    mkdirSync(target);
    await this.backend.restore(this.place, saved.id, { target, signal });
    const compared = await runCommand(['diff', '--recursive', this.source, target]);
    assert.equal(compared.code, 0, compared.stdout);
    await this.backend.forget(this.place, [saved.id], signal);
    const checked = await this.restic(['check', '--read-data']);
    assert.equal(checked.code, 0, checked.stderr);
  }

  restic(args: readonly string[]) {
    return runCommand(['restic', '--repo', this.place.url, '--no-cache', ...args], {
      env: { RESTIC_PASSWORD_FILE: join(this.scratch.path, 'secrets', this.place.id, 'key') },
    });
  }

  [Symbol.dispose](): void {
    this.scratch[Symbol.dispose]();
  }
}

/** Every restic that works on the repository. */
export function resticsOf({ url }: RepositoryPlace): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return text.startsWith('restic\0') && text.includes(`\0${url}\0`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Locks of a repository that are whole: restic writes one under another name first, which holds nobody back. */
export const locksOf = ({ url }: RepositoryPlace): string[] =>
  readdirSync(join(url, 'locks')).filter((name) => /^[0-9a-f]{64}$/.test(name));

/** Another program's backup into the repository, which stands still and holds its lock. */
export async function stoppedBackup({ place, scratch, source }: Ground): Promise<ChildProcess> {
  const other = spawn('restic', ['--repo', place.url, '--no-cache', 'backup', '--force', source], {
    stdio: 'ignore',
    env: {
      PATH: process.env.PATH,
      RESTIC_PASSWORD_FILE: join(scratch.path, 'secrets', place.id, 'key'),
    },
  });
  try {
    await eventually('it holds a lock', () => locksOf(place).length > 0, 30_000);
    other.kill('SIGSTOP');
    return other;
  } catch (failure) {
    other.kill('SIGKILL');
    throw failure;
  }
}

export const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);

export function faultTest(name: string, body: (t: TestContext) => Promise<void>): void {
  if (hasProgram('restic')) test(name, body);
  else test(name, (t) => t.skip('the program restic is not installed'));
}
