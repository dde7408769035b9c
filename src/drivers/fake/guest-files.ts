import { createWriteStream, lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MullionError } from '../../contract/errors.ts';
import type { FileEntry } from '../../contract/resources.ts';
import type { FilesAbility, Machine } from '../driver.ts';

/** The folder of the volume that plays the guest's file system. */
const ROOT = 'upper';
const FOLDERS = ['dev', 'etc', 'root', 'tmp', 'work'] as const;

/** A guest path as one of the host; `..` cannot leave the volume. */
export const hostPath = (machine: Machine, path: string): string =>
  join(machine.volume, ROOT, posix.normalize(`/${path}`));

export async function makeGuest(machine: Machine): Promise<void> {
  for (const folder of FOLDERS) mkdirSync(hostPath(machine, folder), { recursive: true });
  await writeFile(hostPath(machine, '/etc/hostname'), `${machine.name}\n`);
}

export const fakeFiles: FilesAbility = {
  async pull(machine, _handle, path) {
    const host = hostPath(machine, path);
    requireFile(path, host);
    return Readable.from([readFileSync(host)]);
  },
  async push(machine, _handle, path, content, mode) {
    const host = hostPath(machine, path);
    if (kindOf(posix.dirname(path), hostPath(machine, posix.dirname(path))) !== 'directory') {
      throw new MullionError('invalid_request', `${posix.dirname(path)} is no folder.`);
    }
    if (existing(host) === 'directory') throw new MullionError('invalid_request', `${path} is a folder.`);
    await pipeline(content, createWriteStream(host));
    await chmod(host, mode);
  },
  async list(machine, _handle, path) {
    const host = hostPath(machine, path);
    if (kindOf(path, host) !== 'directory') {
      throw new MullionError('invalid_request', `${path} is no folder.`);
    }
    return readdirSync(host)
      .sort()
      .map((name) => entryOf(name, join(host, name)));
  },
};

function requireFile(path: string, host: string): void {
  if (kindOf(path, host) !== 'file') throw new MullionError('invalid_request', `${path} is no file.`);
}

function existing(host: string): 'file' | 'directory' | undefined {
  const found = statSync(host, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  return found.isDirectory() ? 'directory' : 'file';
}

function kindOf(path: string, host: string): 'file' | 'directory' {
  const kind = existing(host);
  if (kind === undefined) throw new MullionError('not_found', `There is no ${path} in the VPS.`);
  return kind;
}

function entryOf(name: string, host: string): FileEntry {
  const stats = lstatSync(host);
  return {
    name,
    type: stats.isDirectory()
      ? 'directory'
      : stats.isSymbolicLink()
        ? 'symlink'
        : stats.isFile()
          ? 'file'
          : 'other',
    size: stats.size,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    modifiedAt: stats.mtime.toISOString(),
  };
}
