import { readFileSync } from 'node:fs';
import { read } from './cgroup-files.ts';
import { stalled } from './cgroup-meters.ts';

/** What the whole host lacks, since it was started. Absent: its kernel does not say. */
export interface HostLoad {
  /** A hypervisor below gave the processors to others. */
  readonly stolenSeconds: number;
  readonly cpuWaitedSeconds: number | undefined;
  readonly memoryStalledSeconds: number | undefined;
  readonly ioStalledSeconds: number | undefined;
}

/** Jiffies a second in /proc: USER_HZ, which is 100 on every architecture that Node runs on (proc(5)). */
const USER_HZ = 100;

export const hostLoad = (): HostLoad => ({
  stolenSeconds:
    Number(/^cpu +(?:\d+ +){7}(\d+)/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? 0) / USER_HZ,
  cpuWaitedSeconds: stalled(read('/proc/pressure', 'cpu')),
  memoryStalledSeconds: stalled(read('/proc/pressure', 'memory')),
  ioStalledSeconds: stalled(read('/proc/pressure', 'io')),
});

/** Seconds that each processor was not idle, since it was started; what a hypervisor below gave to others is in it. */
export const busySeconds = (text = readFileSync('/proc/stat', 'utf8')): ReadonlyMap<number, number> =>
  new Map(
    [...text.matchAll(/^cpu(\d+) (.*)$/gm)].map(([, processor, fields = '']) => {
      // user, nice, system, idle, iowait, irq, softirq, steal (proc(5)); guests are in user.
      const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields
        .split(' ')
        .map(Number);
      return [Number(processor), (user + nice + system + irq + softirq + steal) / USER_HZ];
    }),
  );

/**
 * Interrupts of devices that each processor has handled since the host was started (proc_interrupts(5)): a column for each
 * that is on, a line for each interrupt; those without a number are the processors' own.
 */
export function interrupts(text = read('/proc', 'interrupts')): ReadonlyMap<number, number> {
  const [head = '', ...lines] = text.split('\n');
  const processors = [...head.matchAll(/CPU(\d+)/g)].map(([, number]) => Number(number));
  const counts = lines.flatMap((line) => {
    const [, fields] = /^ *\d+: +(.*)$/.exec(line) ?? [];
    return fields === undefined ? [] : [fields.split(/ +/, processors.length).map(Number)];
  });
  return new Map(
    processors.map((processor, column) => [
      processor,
      counts.reduce((sum, line) => sum + (line[column] || 0), 0),
    ]),
  );
}
