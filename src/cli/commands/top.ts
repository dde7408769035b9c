import { formatSize } from '../../contract/size-text.ts';
import type { VpsInfo } from '../../contract/vps.ts';
import { defineCommand } from '../command.ts';
import { type Context, printJson } from '../context.ts';
import { LiveArea } from '../output/live-area.ts';
import { renderTable } from '../output/table.ts';
import { briefRates } from '../rate-view.ts';
import { inParallel } from '../verb.ts';
import { stateText, stateTone } from '../vps-view.ts';

interface Row {
  readonly vps: VpsInfo;
  /** Shares of one processor, in percent, since the last look. */
  readonly cpu: number;
  /** Kept from it by its own limit; undefined: nobody counts. */
  readonly capped: number | undefined;
  /** Wanted, and given to neighbours instead: what its own limit does not explain. */
  readonly stolen: number | undefined;
}

interface Look {
  readonly at: number;
  readonly vps: readonly VpsInfo[];
}

export const command = defineCommand({
  summary: 'show what VPSs use, live',
  description:
    'The busiest come first; 100% is one processor. CAPPED is what its own limit kept from it, STOLEN what it wanted and neighbours got, RATES the limits of its disk (r, w) and network (in, out) a second; - where the host cannot tell. On a terminal it goes on until Ctrl-C; elsewhere, or with --once, it looks twice and prints one table.',
  arguments: {},
  flags: {
    once: { kind: 'boolean', summary: 'print one table and end' },
    interval: { kind: 'number', value: 'SECONDS', summary: 'time between two looks', default: '2' },
  },
  examples: [
    { line: 'mullion top', does: 'watch them' },
    { line: 'mullion top --once', does: 'for a script or a log' },
  ],
  seeAlso: ['info', 'list'],
  run: async (context, { flags: { once, interval } }) => {
    const pause = Math.max(0.2, interval ?? 2) * 1000;
    const live = context.terminal.isTerminal && !once && !context.json;
    let last = await look(context);
    if (!live) {
      await sleep(Math.min(pause, 1000));
      const rows = compare(last, await look(context));
      if (context.json)
        printJson(
          context,
          rows.map(({ vps, cpu, capped, stolen }) => ({
            ...vps,
            cpuPercent: cpu,
            cappedPercent: capped ?? null,
            stolenPercent: stolen ?? null,
          })),
        );
      else context.terminal.printAll(render(context, rows));
      return 0;
    }
    const area = new LiveArea(process.stdout);
    for (;;) {
      await sleep(pause);
      const now = await look(context);
      area.draw(render(context, compare(last, now)), process.stdout.rows);
      last = now;
    }
  },
});

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function look(context: Context): Promise<Look> {
  const all = await context.client.call('vps.list', { query: context.project });
  const found = await inParallel(all, ({ name }) =>
    context.client.call('vps.info', { params: { name }, query: context.project }).catch(() => undefined),
  );
  // One that was deleted meanwhile is left out.
  return { at: performance.now(), vps: found.filter((vps) => vps !== undefined) };
}

function compare(before: Look, now: Look): Row[] {
  const seconds = (now.at - before.at) / 1000;
  const former = new Map(before.vps.map((vps) => [vps.id, vps]));
  return now.vps
    .map((vps): Row => {
      const past = former.get(vps.id) ?? vps;
      // Its counters begin anew when it is started.
      const percent = (present: number, earlier: number): number =>
        Math.max(0, ((present - earlier) / seconds) * 100);
      const [waited, throttled] = [vps.loss.cpuWaited, vps.loss.cpuThrottled];
      const capped = throttled === null ? undefined : percent(throttled, past.loss.cpuThrottled ?? throttled);
      return {
        vps,
        cpu: percent(vps.usage.cpuSeconds, past.usage.cpuSeconds),
        capped,
        stolen:
          waited === null
            ? undefined
            : Math.max(0, percent(waited, past.loss.cpuWaited ?? waited) - (capped ?? 0)),
      };
    })
    .sort((a, b) => b.cpu - a.cpu || b.vps.usage.memory - a.vps.usage.memory);
}

function render({ terminal }: Context, rows: readonly Row[]): string[] {
  return renderTable<Row>(
    [
      { title: 'NAME', value: ({ vps }) => vps.name, shrink: 1, least: 12 },
      { title: 'STATE', value: ({ vps }) => stateText(vps), tone: ({ vps }) => stateTone(vps.state) },
      { title: 'CPU%', value: ({ cpu }) => cpu.toFixed(1), align: 'right' },
      { title: 'CAPPED%', value: ({ capped }) => capped?.toFixed(1) ?? '-', align: 'right' },
      { title: 'STOLEN%', value: ({ stolen }) => stolen?.toFixed(1) ?? '-', align: 'right' },
      { title: 'MEMORY', value: ({ vps }) => formatSize(vps.usage.memory), align: 'right' },
      { title: 'OF', value: ({ vps }) => formatSize(vps.limits.memory), align: 'right', shrink: 3 },
      { title: 'DISK', value: ({ vps }) => formatSize(vps.usage.disk), align: 'right' },
      { title: 'PROCS', value: ({ vps }) => String(vps.usage.processes ?? '?'), align: 'right' },
      { title: 'NET IN', value: ({ vps }) => formatSize(vps.usage.networkIn), align: 'right', shrink: 4 },
      { title: 'NET OUT', value: ({ vps }) => formatSize(vps.usage.networkOut), align: 'right', shrink: 4 },
      { title: 'RATES AT MOST', value: ({ vps }) => briefRates(vps.limits), shrink: 5 },
    ],
    rows,
    terminal.width,
    terminal.style,
  );
}
