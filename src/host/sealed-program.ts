import { closeSync, readFileSync, statSync, writeSync } from 'node:fs';
import { descriptorPath } from './descriptors.ts';
import { programPath } from './programs.ts';
import { checked, libc } from './syscalls/libc.ts';
import { hasCode } from './system-error.ts';

/** memfd_create(2). */
const MFD = { cloexec: 1, allowSealing: 2, exec: 16 } as const;
/** fcntl(2), "File Sealing". */
const F_ADD_SEALS = 1033;
const SEALS = { seal: 1, shrink: 2, grow: 4, write: 8 } as const;

interface Copy {
  /** Tells the file that was copied from what an upgrade may have put in its place. */
  readonly of: string;
  readonly path: string;
}
const copies = new Map<string, Copy>();

/**
 * Path of a copy of this program in memory that nobody can change any more, of one for all its calls; it is there as long as this
 * process. A container runtime that runs from such memory is safe from a container that finds it below /proc
 * (CVE-2019-5736); run from its file, crun makes such a copy and executes itself anew at each call. Where the kernel
 * allows no program in memory, and where none of that name is installed, the answer is the name itself.
 */
export function sealedProgram(name: string): string {
  const path = programPath(name);
  if (path === undefined) return name;
  const { dev, ino, size, mtimeMs } = statSync(path);
  const of = [path, dev, ino, size, mtimeMs].join(' ');
  const known = copies.get(name);
  if (known?.of === of) return known.path;
  const fd = sealedMemory(name, readFileSync(path));
  const copy = { of, path: fd === undefined ? name : descriptorPath(fd) };
  copies.set(name, copy);
  return copy.path;
}

/** A descriptor of memory with these bytes; undefined where it may not be executed (sysctl vm.memfd_noexec). */
function sealedMemory(name: string, bytes: Uint8Array): number | undefined {
  const fd = programMemory(name);
  if (fd === undefined) return undefined;
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    const all = SEALS.seal | SEALS.shrink | SEALS.grow | SEALS.write;
    checked('fcntl', libc().fcntl(fd, F_ADD_SEALS, all), name);
    return fd;
  } catch (failure) {
    closeSync(fd);
    throw failure;
  }
}

/** Kernels before 6.3 do not know that it is to be executed, and allow it unasked. */
function programMemory(name: string): number | undefined {
  for (const flags of [MFD.exec, 0]) {
    try {
      return checked('memfd_create', libc().memfd_create(name, MFD.cloexec | MFD.allowSealing | flags), name);
    } catch (failure) {
      if (hasCode(failure, 'EACCES', 'EPERM')) return undefined;
      if (!hasCode(failure, 'EINVAL')) throw failure;
    }
  }
  return undefined;
}
