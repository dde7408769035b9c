import { type ArchiveEntry, checkEntryPath } from './entry.ts';

const KIND_BITS = { directory: 0o040000, file: 0o100000, symlink: 0o120000 } as const;
const TRAILER = 'TRAILER!!!';

/**
 * An archive in the format "newc", which the Linux kernel unpacks as initial file system, also when it follows another
 * one at a multiple of 4 bytes (Linux, Documentation/driver-api/early-userspace/buffer-format). All owned by root.
 */
export function renderCpio(entries: readonly ArchiveEntry[]): Buffer {
  const parts = entries.map((entry, index) => {
    checkEntryPath(entry.path);
    const content =
      entry.kind === 'file' ? entry.content : Buffer.from(entry.kind === 'symlink' ? entry.target : '');
    const mode = KIND_BITS[entry.kind] | (entry.kind === 'symlink' ? 0o777 : entry.mode);
    return record(entry.path, index + 1, mode, entry.kind === 'directory' ? 2 : 1, content);
  });
  return Buffer.concat([...parts, record(TRAILER, 0, 0, 1, Buffer.alloc(0))]);
}

function record(name: string, inode: number, mode: number, links: number, content: Uint8Array): Buffer {
  const nameBytes = Buffer.from(`${name}\0`);
  const numbers = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, nameBytes.length, 0];
  const header = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header), nameBytes])), padded(content)]);
}

const padded = (bytes: Uint8Array): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
