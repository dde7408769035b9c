export type Unit = 's' | 'ms' | '/s' | 'B/s' | 'bit/s' | 'B' | '';
export type Group = 'Life' | 'Processor and memory' | 'Disk and network' | 'Density';

export interface Measure {
  readonly id: string;
  readonly group: Group;
  /** For charts and JSON. */
  readonly title: string;
  /** For a table of 80 columns. */
  readonly short: string;
  readonly unit: Unit;
  readonly better: 'more' | 'less';
  /** How it is measured, for readers who want to judge the number. */
  readonly how: string;
}

/** Everything that is compared, in the order of the report. */
export const MEASURES = [
  measure(
    'create',
    'Life',
    'Create a VPS from the image',
    'create',
    's',
    'less',
    'From the request until its volume is filled and it stands stopped.',
  ),
  measure(
    'userspace',
    'Life',
    'Start until userspace',
    'to userspace',
    's',
    'less',
    'From the request to start until systemd, the first program of the image, begins.',
  ),
  measure(
    'ready',
    'Life',
    'Start until systemd is ready',
    'systemd ready',
    's',
    'less',
    'From the request to start until systemd has started all units.',
  ),
  measure(
    'exec',
    'Life',
    'Run a command inside',
    'run a command',
    'ms',
    'less',
    'mullion exec of true(1) from end to end; the median.',
  ),
  measure(
    'stop',
    'Life',
    'Stop gracefully',
    'stop',
    's',
    'less',
    'From the request until nothing of it runs.',
  ),
  measure(
    'cpu',
    'Processor and memory',
    'Work of the processor',
    'CPU work',
    '/s',
    'more',
    'sysbench cpu: rounds that find the primes up to 10,000, one thread.',
  ),
  measure(
    'syscalls',
    'Processor and memory',
    'System calls',
    'system calls',
    '/s',
    'more',
    'dd of single bytes from /dev/zero to /dev/null: two calls a byte.',
  ),
  measure(
    'processes',
    'Processor and memory',
    'Programs started and ended',
    'processes',
    '/s',
    'more',
    'A shell that runs true(1) over and over: fork, exec, wait.',
  ),
  measure(
    'memory',
    'Processor and memory',
    'Memory bandwidth',
    'memory writes',
    'B/s',
    'more',
    'sysbench memory: writes to a block of 1 MiB, one thread.',
  ),
  measure(
    'diskWrite',
    'Disk and network',
    'Sequential writes',
    'disk writes',
    'B/s',
    'more',
    'fio: blocks of 1 MiB to a new file, with a flush at the end.',
  ),
  measure(
    'diskRead',
    'Disk and network',
    'Random reads',
    'disk reads',
    '/s',
    'more',
    'fio: blocks of 4 KiB past the guest’s cache; the host’s own cache may answer.',
  ),
  measure(
    'commits',
    'Disk and network',
    'Durable commits',
    'disk commits',
    '/s',
    'more',
    'fio: 4 KiB written and flushed to the disk, each before the next, as databases do.',
  ),
  measure(
    'network',
    'Disk and network',
    'Network throughput',
    'network',
    'bit/s',
    'more',
    'iperf3, one TCP stream to a second VPS of the lightest technique on this host.',
  ),
  measure(
    'idle',
    'Density',
    'Memory of an idle VPS',
    'idle memory',
    'B',
    'less',
    'What the host counts for it, without idle file cache, once systemd is ready.',
  ),
  measure(
    'fit',
    'Density',
    'Idle VPSs that fit',
    'idle VPSs fit',
    '',
    'more',
    'By the memory that was available; of guests with a kernel of their own no more than can be promised their whole memory.',
  ),
] as const;
export type MeasureId = (typeof MEASURES)[number]['id'];

function measure<const I extends string>(
  id: I,
  group: Group,
  title: string,
  short: string,
  unit: Unit,
  better: 'more' | 'less',
  how: string,
): Measure & { readonly id: I } {
  return { id, group, title, short, unit, better, how };
}
