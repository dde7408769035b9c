import { isBelowOthers } from './block-devices.ts';
import { field, read } from './cgroup-files.ts';

export interface CgroupUsage {
  readonly cpuSeconds: number;
  /** Bytes that cannot be given up at once: without the inactive part of the page cache. */
  readonly memory: number;
  /** Processes and threads, as the limit counts them. */
  readonly processes: number;
}

/** What a group had to wait for and what was kept from it, since it was made. A meter that the kernel lacks is absent. */
export interface CgroupMeters {
  /** Some of its tasks wanted a processor and got none, for whatever reason (psi). */
  readonly cpuWaitedSeconds?: number | undefined;
  /** Its own limit held it back; summed up over processors. */
  readonly cpuThrottledSeconds: number;
  readonly memoryStalledSeconds?: number | undefined;
  readonly ioStalledSeconds?: number | undefined;
  /** Processes that were killed for want of memory inside its limit. */
  readonly oomKills: number;
  readonly diskRead: number;
  readonly diskWritten: number;
  readonly diskReads: number;
  readonly diskWrites: number;
}

/** The group's folders: of cgroup2, and of v1 controllers where they are mounted as such. */
export interface CgroupFolders {
  readonly unified: string | undefined;
  readonly cpu: string | undefined;
  readonly cpuacct: string | undefined;
  readonly pids: string | undefined;
  readonly memory: string | undefined;
  readonly blkio: string | undefined;
}

type Reader = typeof read;

/** Reads each file once. Zeros where it, or the group, is not there. */
export function readMeters(folders: CgroupFolders, reader: Reader = read): CgroupUsage & CgroupMeters {
  const texts = new Map<string, string>();
  const once: Reader = (directory, file) => {
    const key = `${directory}/${file}`;
    const text = texts.get(key) ?? reader(directory, file);
    texts.set(key, text);
    return text;
  };
  return { ...readUsage(folders, once), ...readLoss(folders, once) };
}

export function readUsage(
  { unified, cpuacct, memory, pids }: CgroupFolders,
  reader: Reader = read,
): CgroupUsage {
  const cached =
    memory === undefined
      ? field(reader(unified, 'memory.stat'), 'inactive_file')
      : field(reader(memory, 'memory.stat'), 'total_inactive_file');
  const charged =
    memory === undefined ? reader(unified, 'memory.current') : reader(memory, 'memory.usage_in_bytes');
  return {
    cpuSeconds: cpuSecondsOf({ unified, cpuacct }, reader),
    memory: Math.max(0, Number(charged) - cached),
    processes: Number(reader(pids ?? unified, 'pids.current')),
  };
}

/** Of the group and all below it; 0 where it is not there. */
export const cpuSecondsOf = (
  { unified, cpuacct }: Pick<CgroupFolders, 'unified' | 'cpuacct'>,
  reader: Reader = read,
): number =>
  cpuacct === undefined
    ? field(reader(unified, 'cpu.stat'), 'usage_usec') / 1e6
    : Number(reader(cpuacct, 'cpuacct.usage')) / 1e9;

function readLoss({ unified, cpu, memory, blkio }: CgroupFolders, reader: Reader): CgroupMeters {
  const disk = blkio === undefined ? parseIoStat(reader(unified, 'io.stat')) : readBlkio(blkio, reader);
  return {
    cpuWaitedSeconds: stalled(reader(unified, 'cpu.pressure')),
    cpuThrottledSeconds:
      cpu === undefined
        ? field(reader(unified, 'cpu.stat'), 'throttled_usec') / 1e6
        : field(reader(cpu, 'cpu.stat'), 'throttled_time') / 1e9,
    memoryStalledSeconds: stalled(reader(unified, 'memory.pressure')),
    ioStalledSeconds: stalled(reader(unified, 'io.pressure')),
    oomKills:
      memory === undefined
        ? field(reader(unified, 'memory.events'), 'oom_kill')
        : field(reader(memory, 'memory.oom_control'), 'oom_kill'),
    ...disk,
  };
}

/** Seconds of `some` of a pressure file (Documentation/accounting/psi.rst); undefined where there is none. */
export function stalled(text: string): number | undefined {
  const total = /^some .*\btotal=(\d+)/m.exec(text)?.[1];
  return total === undefined ? undefined : Number(total) / 1e6;
}

interface DiskMeters {
  readonly diskRead: number;
  readonly diskWritten: number;
  readonly diskReads: number;
  readonly diskWrites: number;
}

/** Major number of loop devices (Linux, Documentation/admin-guide/devices.txt). */
const LOOP = '7:';
const DEVICE = /^\d+:\d+$/;

/**
 * All devices together, each request once: what a device of several (LVM, md) or a loop device asks of the disk below it is
 * counted for the same group there too (Linux, drivers/block/loop.c, `blkcg_css`).
 */
function together(counts: readonly (readonly [device: string, count: string])[]): number {
  const sum = (wanted: (device: string) => boolean): number =>
    counts.reduce((total, [device, count]) => (wanted(device) ? total + Number(count) : total), 0);
  const isLoop = (device: string): boolean => device.startsWith(LOOP);
  return Math.max(
    sum(isLoop),
    sum((device) => !isLoop(device) && !isBelowOthers(device)),
  );
}

/** Lines of a device and its counts; a device without any may stand before it on its line (Linux 5.14 to 5.17). */
export function parseIoStat(text: string): DiskMeters {
  const lines = text.split('\n').map((line) => line.split(' '));
  const all = (key: string): number =>
    together(
      lines.flatMap((words) => {
        const field = words.find((word) => word.startsWith(`${key}=`));
        const device = words.findLast((word) => DEVICE.test(word));
        return field === undefined || device === undefined
          ? []
          : [[device, field.slice(key.length + 1)] as const];
      }),
    );
  return {
    diskRead: all('rbytes'),
    diskWritten: all('wbytes'),
    diskReads: all('rios'),
    diskWrites: all('wios'),
  };
}

function readBlkio(directory: string, reader: Reader): DiskMeters {
  const bytes = reader(directory, 'blkio.throttle.io_service_bytes_recursive');
  const operations = reader(directory, 'blkio.throttle.io_serviced_recursive');
  const all = (text: string, kind: string): number =>
    together(
      [...text.matchAll(new RegExp(`^(\\S+) ${kind} (\\d+)$`, 'gm'))].map(
        ([, device = '', count = '']) => [device, count] as const,
      ),
    );
  return {
    diskRead: all(bytes, 'Read'),
    diskWritten: all(bytes, 'Write'),
    diskReads: all(operations, 'Read'),
    diskWrites: all(operations, 'Write'),
  };
}
