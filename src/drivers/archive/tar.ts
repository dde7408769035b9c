import { type ArchiveEntry, checkEntryPath } from './entry.ts';

const BLOCK = 512;
const TYPE = { file: '0', symlink: '2', directory: '5' } as const;

/** An archive in the format ustar (POSIX, pax, "ustar Interchange Format"), all owned by root, of time `modified`. */
export function renderTar(entries: readonly ArchiveEntry[], modified: Date): Buffer {
  const seconds = Math.max(0, Math.floor(modified.getTime() / 1000));
  const parts = entries.flatMap((entry) => {
    const content = entry.kind === 'file' ? Buffer.from(entry.content) : Buffer.alloc(0);
    return [
      header(entry, content.length, seconds),
      content,
      Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK),
    ];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(entry: ArchiveEntry, size: number, modified: number): Buffer {
  checkEntryPath(entry.path);
  const path = entry.kind === 'directory' ? `${entry.path}/` : entry.path;
  const { prefix, name } = splitPath(path);
  const block = Buffer.alloc(BLOCK);
  const octal = (number: number, width: number): string => `${number.toString(8).padStart(width - 1, '0')}\0`;
  block.write(name, 0, 100);
  block.write(octal(entry.kind === 'symlink' ? 0o777 : entry.mode, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(size, 12), 124);
  block.write(octal(modified, 12), 136);
  block.write(' '.repeat(8), 148);
  block.write(TYPE[entry.kind], 156);
  if (entry.kind === 'symlink') {
    if (Buffer.byteLength(entry.target) > 100)
      throw new TypeError(`the link's target "${entry.target}" is too long`);
    block.write(entry.target, 157, 100);
  }
  block.write('ustar\x0000', 257);
  block.write('root', 265);
  block.write('root', 297);
  block.write(prefix, 345, 155);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** The name has 100 bytes, what stands before it 155. */
function splitPath(path: string): { prefix: string; name: string } {
  if (Buffer.byteLength(path) <= 100) return { prefix: '', name: path };
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
    const prefix = path.slice(0, slash);
    const name = path.slice(slash + 1);
    if (name !== '' && Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155)
      return { prefix, name };
  }
  throw new TypeError(`"${path}" is too long for an archive`);
}
