/** `probe-guest.S`, assembled. */
const CODE =
  '/EiJ80iNqwAgAABIjb0ABAAASI01UwAAALkXAAAA86THhQwMAAAXAAAAuCAAAAC/BAAAAEiNc1APBYG9CAwAABcAAAB0DbgdAAAAMf8x9g8F6+e4HQAAAL8CAAAASI01BAAAAA8F6+sAAAAAcGFyYS12aXJ0dWFsIGd1ZXN0IHJhbgo=';

const PAGE = 0x1000;
const VIRTUAL_ADDRESS = 0x10_0000;
const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;
const CODE_OFFSET = PAGE;
/** Notes that Xen's domain builder reads (Xen, public/elfnote.h). */
const NOTE = { entry: 1, virtBase: 3, xenVersion: 5, guestOs: 6, loader: 8, paeMode: 9 } as const;

/** What the guest prints when it came all the way. */
export const PROBE_GUEST_TEXT = 'para-virtual guest ran';

/** A kernel for Xen's domain builder: an ELF file of one segment (elf(5)). */
export function probeGuestKernel(): Buffer {
  const code = Buffer.from(CODE, 'base64');
  const notes = Buffer.concat([
    note(NOTE.entry, address(VIRTUAL_ADDRESS)),
    note(NOTE.virtBase, address(0)),
    note(NOTE.xenVersion, Buffer.from('xen-3.0\0')),
    note(NOTE.guestOs, Buffer.from('mullion\0')),
    note(NOTE.loader, Buffer.from('generic\0')),
    note(NOTE.paeMode, Buffer.from('yes\0')),
  ]);
  const notesOffset = ELF_HEADER + 2 * PROGRAM_HEADER;
  const file = Buffer.alloc(CODE_OFFSET + code.length);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1], 0);
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(62, 18); // EM_X86_64
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(VIRTUAL_ADDRESS), 24);
  file.writeBigUInt64LE(BigInt(ELF_HEADER), 32);
  file.writeUInt16LE(ELF_HEADER, 52);
  file.writeUInt16LE(PROGRAM_HEADER, 54);
  file.writeUInt16LE(2, 56);
  file.writeUInt16LE(64, 58);
  programHeader(1, 7, CODE_OFFSET, VIRTUAL_ADDRESS, code.length).copy(file, ELF_HEADER);
  programHeader(4, 4, notesOffset, 0, notes.length).copy(file, ELF_HEADER + PROGRAM_HEADER);
  notes.copy(file, notesOffset);
  code.copy(file, CODE_OFFSET);
  return file;
}

/** @param type PT_LOAD or PT_NOTE */
function programHeader(type: 1 | 4, flags: number, offset: number, place: number, size: number): Buffer {
  const header = Buffer.alloc(PROGRAM_HEADER);
  header.writeUInt32LE(type, 0);
  header.writeUInt32LE(flags, 4);
  header.writeBigUInt64LE(BigInt(offset), 8);
  header.writeBigUInt64LE(BigInt(place), 16);
  header.writeBigUInt64LE(BigInt(place), 24);
  header.writeBigUInt64LE(BigInt(size), 32);
  header.writeBigUInt64LE(BigInt(size), 40);
  header.writeBigUInt64LE(BigInt(type === 1 ? PAGE : 4), 48);
  return header;
}

function note(type: number, content: Buffer): Buffer {
  const head = Buffer.alloc(16);
  head.writeUInt32LE(4, 0);
  head.writeUInt32LE(content.length, 4);
  head.writeUInt32LE(type, 8);
  head.write('Xen\0', 12, 'latin1');
  return Buffer.concat([head, content, Buffer.alloc((4 - (content.length % 4)) % 4)]);
}

function address(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}
