import { readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from './system-error.ts';

/** Controllers a VPS needs where they are not mounted as v1. */
const WANTED = ['cpu', 'cpuset', 'io', 'memory', 'pids'];

export function checkPath(path: string): string[] {
  const levels = path.split('/');
  if (levels.some((level) => level === '' || level === '.' || level === '..')) {
    throw new TypeError(`"${path}" is no path of a cgroup`);
  }
  return levels;
}

/** Only what the parent offers: a controller may be absent or bound to v1. */
export function enableControllers(directory: string): void {
  const offered = readIfThere(join(directory, 'cgroup.controllers')).trim().split(' ');
  const enabled = readIfThere(join(directory, 'cgroup.subtree_control')).trim().split(' ');
  for (const controller of WANTED) {
    if (offered.includes(controller) && !enabled.includes(controller)) {
      writeFileSync(join(directory, 'cgroup.subtree_control'), `+${controller}`);
    }
  }
}

/** A new v1 cpuset is empty, and takes no process until it has processors and memory nodes (cpuset(7)). */
export function inheritCpuset(parent: string, child: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    if (readIfThere(join(child, file)).trim() === '') {
      writeFileSync(join(child, file), readFileSync(join(parent, file)));
    }
  }
}

export function children(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (failure) {
    if (hasCode(failure, 'ENOENT')) return [];
    throw failure;
  }
}

export function processesBelow(directory: string): number[] {
  const own = readIfThere(join(directory, 'cgroup.procs')).split('\n').filter(Boolean).map(Number);
  return [...own, ...children(directory).flatMap((child) => processesBelow(join(directory, child)))];
}

/** False while something in it is busy. */
export function removeTree(directory: string): boolean {
  if (!children(directory).every((child) => removeTree(join(directory, child)))) return false;
  try {
    rmdirSync(directory);
  } catch (failure) {
    if (hasCode(failure, 'EBUSY', 'ENOTEMPTY')) return false;
    if (!hasCode(failure, 'ENOENT')) throw failure;
  }
  return true;
}

/** ENODEV is a file of a group that was removed while it was open; EOPNOTSUPP a threaded group's cgroup.procs. */
export function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (failure) {
    if (hasCode(failure, 'ENOENT', 'ENODEV', 'EOPNOTSUPP')) return '';
    throw failure;
  }
}

export function writeIfThere(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (failure) {
    if (!hasCode(failure, 'ENOENT', 'ENODEV')) throw failure;
  }
}

export const read = (directory: string | undefined, file: string): string =>
  directory === undefined ? '' : readIfThere(join(directory, file));

/** A number of a flat keyed file such as memory.stat; 0 when absent. */
export function field(text: string, key: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${key} `));
  return line === undefined ? 0 : Number(line.slice(key.length + 1));
}
