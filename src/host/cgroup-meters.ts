import { field, read } from './cgroup-files.ts';

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
  readonly memory: string | undefined;
  readonly blkio: string | undefined;
}

/** Reads each file once. */
export function readMeters({ unified, cpu, memory, blkio }: CgroupFolders): CgroupMeters {
  const disk = blkio === undefined ? parseIoStat(read(unified, 'io.stat')) : readBlkio(blkio);
  return {
    cpuWaitedSeconds: stalled(read(unified, 'cpu.pressure')),
    cpuThrottledSeconds:
      cpu === undefined
        ? field(read(unified, 'cpu.stat'), 'throttled_usec') / 1e6
        : field(read(cpu, 'cpu.stat'), 'throttled_time') / 1e9,
    memoryStalledSeconds: stalled(read(unified, 'memory.pressure')),
    ioStalledSeconds: stalled(read(unified, 'io.pressure')),
    oomKills:
      memory === undefined
        ? field(read(unified, 'memory.events'), 'oom_kill')
        : field(read(memory, 'memory.oom_control'), 'oom_kill'),
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

/** All devices together. */
export function parseIoStat(text: string): DiskMeters {
  const sum = (key: string): number =>
    [...text.matchAll(new RegExp(`\\b${key}=(\\d+)`, 'g'))].reduce(
      (total, match) => total + Number(match[1]),
      0,
    );
  return {
    diskRead: sum('rbytes'),
    diskWritten: sum('wbytes'),
    diskReads: sum('rios'),
    diskWrites: sum('wios'),
  };
}

function readBlkio(directory: string): DiskMeters {
  const bytes = read(directory, 'blkio.throttle.io_service_bytes_recursive');
  const operations = read(directory, 'blkio.throttle.io_serviced_recursive');
  const sum = (text: string, kind: string): number =>
    [...text.matchAll(new RegExp(`^\\S+ ${kind} (\\d+)$`, 'gm'))].reduce(
      (total, match) => total + Number(match[1]),
      0,
    );
  return {
    diskRead: sum(bytes, 'Read'),
    diskWritten: sum(bytes, 'Write'),
    diskReads: sum(operations, 'Read'),
    diskWrites: sum(operations, 'Write'),
  };
}
