import { refused, shown } from './refused.ts';

/** Formats that qemu-img reads for us. */
export const DISK_FORMATS = ['raw', 'qcow2', 'vmdk', 'vdi'] as const;
export type DiskFormat = (typeof DISK_FORMATS)[number];

/** Feature bits (QEMU, docs/interop/qcow2): the data lies in another file. */
const EXTERNAL_DATA = 1n << 2n;

/**
 * Refuses what names another file of the host before any program opens it. @throws MullionError `image_refused`
 */
export function checkDiskHeader(format: DiskFormat, head: Buffer): void {
  if (format === 'qcow2') checkQcow2(head);
  if (format === 'vmdk') checkVmdk(head);
}

function checkQcow2(head: Buffer): void {
  if (head.length < 104) throw refused('truncated', 'The qcow2 disk breaks off inside its header.');
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw refused('damaged', `The qcow2 disk has the version ${version}.`);
  if (head.readBigUInt64BE(8) !== 0n) {
    const at = Number(head.readBigUInt64BE(8));
    const name = head.toString('utf8', at, at + Math.min(head.readUInt32BE(16), 1023));
    throw refused('names_host_file', `The qcow2 disk is a difference to another file, ${shown(name)}.`);
  }
  if (head.readUInt32BE(32) !== 0) throw refused('format', 'The qcow2 disk is encrypted.');
  if (version === 3 && (head.readBigUInt64BE(72) & EXTERNAL_DATA) !== 0n) {
    throw refused('names_host_file', 'The qcow2 disk keeps its data in another file.');
  }
}

/** VMware Virtual Disk Format 1.1: a sparse extent that holds its own descriptor. */
function checkVmdk(head: Buffer): void {
  if (head.toString('latin1', 0, 4) !== 'KDMV') {
    throw refused('names_host_file', 'The vmdk is only a descriptor, which names other files.');
  }
  const at = Number(head.readBigUInt64LE(28)) * 512;
  const descriptor = head.toString('latin1', at, at + Number(head.readBigUInt64LE(36)) * 512);
  const parent = /^\s*parentFileNameHint\s*=\s*"?([^"\n]*)/im.exec(descriptor)?.[1];
  if (parent !== undefined) {
    throw refused('names_host_file', `The vmdk is a difference to another file, ${shown(parent)}.`);
  }
  const kind = /^\s*createType\s*=\s*"([^"\n]*)"/im.exec(descriptor)?.[1];
  if (kind === undefined || /^(monolithicSparse|streamOptimized)$/i.test(kind)) return;
  throw refused(
    'names_host_file',
    `The vmdk is of the kind ${shown(kind)}, which has its data in other files.`,
  );
}
