import * as z from 'zod';
import type { Jails } from '../../host/jail/jails.ts';
import { lastLine } from './decompress.ts';
import type { DiskFormat } from './disk-header.ts';
import type { ImportLimits } from './limits.ts';
import { refused } from './refused.ts';
import { requireItsOwnEnd } from './struck.ts';
import { unpackFailed } from './unpack-tar.ts';

const InfoSchema = z.object({
  'virtual-size': z.number().int().min(1),
  'backing-filename': z.string().optional(),
  encrypted: z.boolean().optional(),
  'format-specific': z.object({ data: z.record(z.string(), z.unknown()).optional() }).optional(),
});

/** A disk in a folder of its own, as `disk`. */
export interface DiskSource {
  readonly folder: string;
  readonly name: string;
  readonly format: DiskFormat;
}

/** Asks qemu-img, in a jail, how large the disk is inside. @throws MullionError `image_refused` */
export async function diskSizeOf(
  jails: Jails,
  { folder, name, format }: DiskSource,
  limits: ImportLimits,
  signal: AbortSignal,
): Promise<number> {
  const argv = ['qemu-img', 'info', '--output=json', '-f', format, `/in/${name}`];
  const mounts = [{ source: folder, target: '/in', access: 'read' as const }];
  const result = await jails.run({ argv, mounts, timeoutMs: 60_000 }, signal);
  requireItsOwnEnd('qemu-img', result);
  if (result.code !== 0) {
    throw refused('damaged', `The ${format} disk cannot be read: ${lastLine(result.stderr)}`);
  }
  const info = InfoSchema.safeParse(parse(result.stdout));
  if (!info.success) throw refused('damaged', `The ${format} disk cannot be read.`);
  const data = info.data['format-specific']?.data ?? {};
  if (info.data['backing-filename'] !== undefined || data['data-file'] !== undefined) {
    throw refused('names_host_file', `The ${format} disk is a difference to another file.`);
  }
  if (info.data.encrypted === true) throw refused('format', `The ${format} disk is encrypted.`);
  const size = info.data['virtual-size'];
  if (size <= limits.bytes) return size;
  throw refused('too_large', `The disk has ${size} bytes inside; at most ${limits.bytes} are taken.`);
}

/** Writes the disk as a raw file with holes into the folder `target`. @throws MullionError `image_refused` */
export async function convertDisk(
  jails: Jails,
  { folder, name, format }: DiskSource,
  target: string,
  { file, as, limits }: { readonly file: string; readonly as: DiskFormat; readonly limits: ImportLimits },
  onPercent: (percent: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const options = as === 'vmdk' ? ['-o', 'subformat=streamOptimized'] : [];
  const argv = [
    ...['qemu-img', 'convert', '-p', '-t', 'writeback', '-S', '4k', '-f', format, '-O', as],
    ...options,
    ...[`/in/${name}`, `/out/${file}`],
  ];
  const jail = await jails.start(
    {
      argv,
      mounts: [
        { source: folder, target: '/in', access: 'read' },
        { source: target, target: '/out', access: 'write' },
      ],
      fileSize: limits.bytes + 1024 ** 3,
      timeoutMs: limits.timeoutMs,
    },
    signal,
  );
  jail.stdin.end();
  for await (const piece of jail.stdout) {
    const percent = [...String(piece).matchAll(/\((\d+\.\d+)\/100%\)/g)].at(-1)?.[1];
    if (percent !== undefined) onPercent(Number(percent));
  }
  const result = await jail.ended;
  if (result.code !== 0) throw unpackFailed('qemu-img', result);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
