import type { Loss, VpsInfo } from '../contract/vps.ts';

/** What was seen at one time, in milliseconds. */
export interface Look {
  readonly at: number;
  readonly vps: readonly VpsInfo[];
}

/** What one VPS got and lost between two looks, in percent of the time; undefined where the host cannot tell. */
export interface LossRow {
  readonly vps: VpsInfo;
  /** 100 is one processor. */
  readonly cpu: number;
  /** Kept from it by its own limit, summed up over processors. */
  readonly capped: number | undefined;
  /** It waited for a processor, and neither its limit nor its own work on all that it may have explains it. */
  readonly stolen: number | undefined;
  readonly memoryStalled: number | undefined;
  readonly ioStalled: number | undefined;
}

/** The busiest first. `cpus`: processors of the host. */
export function lossRows(before: Look, now: Look, cpus: number): LossRow[] {
  const seconds = (now.at - before.at) / 1000;
  const former = new Map(before.vps.map((vps) => [vps.id, vps]));
  return now.vps
    .map((vps): LossRow => {
      const past = former.get(vps.id) ?? vps;
      // Its counters begin anew when it is started.
      const percent = (present: number, earlier: number): number =>
        Math.max(0, ((present - earlier) / seconds) * 100);
      const lost = (what: keyof Loss): number | undefined => {
        const present = vps.loss[what];
        return present === null ? undefined : percent(present, past.loss[what] ?? present);
      };
      const [waited, capped] = [lost('cpuWaited'), lost('cpuThrottled')];
      const cpu = percent(vps.usage.cpuSeconds, past.usage.cpuSeconds);
      const ungot = Math.min(vps.limits.cpus, cpus) * 100 - cpu;
      return {
        vps,
        cpu,
        capped,
        stolen: waited === undefined ? undefined : Math.max(0, Math.min(waited - (capped ?? 0), ungot)),
        memoryStalled: lost('memoryStalled'),
        ioStalled: lost('ioStalled'),
      };
    })
    .sort((a, b) => b.cpu - a.cpu || b.vps.usage.memory - a.vps.usage.memory);
}
