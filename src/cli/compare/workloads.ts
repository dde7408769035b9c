import * as z from 'zod';
import type { MeasureId } from './measures.ts';

/** Packages that the workloads need in the guest. */
export const PACKAGES = ['fio', 'iperf3', 'sysbench'] as const;

export interface Pace {
  /** Seconds that one workload lasts. */
  readonly seconds: number;
  /** Bytes of the file that fio works on. */
  readonly fileSize: number;
}

/** Work inside a guest whose output holds one number. */
export interface Workload {
  readonly id: MeasureId;
  /** Its program, which must be in the image. */
  readonly program: string;
  /** `partner`: address of the VPS that answers on the network. */
  argv(pace: Pace, partner: string): readonly string[];
  /** The number in what it printed; undefined when there is none. */
  parse(output: string, pace: Pace): number | undefined;
}

const FILE = '/var/tmp/mullion-compare';
/** Fixed output whatever the guest's language. */
const C = ['env', 'LC_ALL=C'] as const;
const MIB = 1024 ** 2;

const FioSide = z.object({ bw_bytes: z.number(), iops: z.number() });
const FioOutput = z.object({ jobs: z.tuple([z.object({ read: FioSide, write: FioSide })]) });
const IperfOutput = z.object({ end: z.object({ sum_received: z.object({ bits_per_second: z.number() }) }) });

export const WORKLOADS: readonly Workload[] = [
  {
    id: 'cpu',
    program: 'sysbench',
    argv: ({ seconds }) => [
      ...C,
      'sysbench',
      'cpu',
      '--threads=1',
      '--cpu-max-prime=10000',
      `--time=${seconds}`,
      'run',
    ],
    parse: (output) => positive(/events per second:\s+([\d.]+)/.exec(output)?.[1]),
  },
  {
    id: 'syscalls',
    program: 'dd',
    argv: ({ seconds }) => [
      ...C,
      // One signal: the second, to its group, would end dd before it has printed.
      ...['timeout', '--foreground', '-s', 'INT', String(seconds)],
      'dd',
      'if=/dev/zero',
      'of=/dev/null',
      'bs=1',
    ],
    parse: (output) => {
      const found = /^(\d+) bytes.* copied, ([\d.e+-]+) s/m.exec(output);
      return positive((2 * Number(found?.[1])) / Number(found?.[2]));
    },
  },
  {
    id: 'processes',
    program: 'timeout',
    argv: ({ seconds }) => [
      'sh',
      '-c',
      `timeout ${seconds} sh -c 'while :; do /bin/true; echo; done' | wc -l`,
    ],
    parse: (output, { seconds }) => positive(Number(/^\s*(\d+)\s*$/m.exec(output)?.[1]) / seconds),
  },
  {
    id: 'memory',
    program: 'sysbench',
    argv: ({ seconds }) => [
      ...C,
      ...['sysbench', 'memory', '--threads=1', '--memory-block-size=1M', '--memory-total-size=100T'],
      ...['--memory-oper=write', `--time=${seconds}`, 'run'],
    ],
    parse: (output) => positive(Number(/\(([\d.]+) MiB\/sec\)/.exec(output)?.[1]) * MIB),
  },
  {
    id: 'diskWrite',
    program: 'fio',
    argv: ({ fileSize }) => fio('--rw=write', '--bs=1M', `--size=${fileSize}`, '--end_fsync=1'),
    parse: (output) => positive(fioResult(output)?.write.bw_bytes),
  },
  {
    id: 'diskRead',
    program: 'fio',
    argv: ({ fileSize, seconds }) =>
      fio('--rw=randread', '--bs=4k', '--direct=1', `--size=${fileSize}`, ...lasting(seconds)),
    parse: (output) => positive(fioResult(output)?.read.iops),
  },
  {
    id: 'commits',
    program: 'fio',
    argv: ({ fileSize, seconds }) =>
      fio('--rw=randwrite', '--bs=4k', '--fsync=1', `--size=${fileSize}`, ...lasting(seconds)),
    parse: (output) => positive(fioResult(output)?.write.iops),
  },
  {
    id: 'network',
    program: 'iperf3',
    argv: ({ seconds }, partner) => ['iperf3', '--client', partner, '--time', String(seconds), '--json'],
    parse: (output) => positive(jsonOf(output, IperfOutput)?.end.sum_received.bits_per_second),
  },
];

export const CLEAN_UP: readonly string[] = ['rm', '-f', FILE];

/** One job on one file, which the sequential writes make and the others use. */
const fio = (...more: string[]): string[] => [
  ...['fio', '--name=compare', `--filename=${FILE}`, '--ioengine=psync', '--thread', '--output-format=json'],
  ...more,
];
const lasting = (seconds: number): string[] => ['--time_based', `--runtime=${seconds}`];

const fioResult = (output: string) => jsonOf(output, FioOutput)?.jobs[0];

/** What a program prints before its JSON, such as notes, is left out. */
function jsonOf<T>(output: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.parse(JSON.parse(output.slice(output.indexOf('{'), output.lastIndexOf('}') + 1)));
  } catch {
    return undefined;
  }
}

function positive(value: string | number | undefined): number | undefined {
  const number = Number(value);
  return Number.isFinite(number) && number > 0 ? number : undefined;
}
