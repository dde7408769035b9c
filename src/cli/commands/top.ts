import { formatSize } from '../../contract/size-text.ts';
import type { VpsInfo } from '../../contract/vps.ts';
import { defineCommand } from '../command.ts';
import { type Context, printJson } from '../context.ts';
import { LiveArea } from '../output/live-area.ts';
import { renderTable } from '../output/table.ts';
import { inParallel } from '../verb.ts';
import { stateText, stateTone } from '../vps-view.ts';

interface Row {
  readonly vps: VpsInfo;
  /** Share of one processor, in percent, since the last look. */
  readonly cpu: number;
}

interface Look {
  readonly at: number;
  readonly vps: readonly VpsInfo[];
}

export const command = defineCommand({
  summary: 'show what VPSs use, live',
  description:
    'The busiest come first; 100% is one processor. On a terminal it goes on until Ctrl-C; elsewhere, or with --once, it looks twice and prints one table.',
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
          rows.map(({ vps, cpu }) => ({ ...vps, cpuPercent: cpu })),
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
  const used = new Map(before.vps.map((vps) => [vps.id, vps.usage.cpuSeconds]));
  return now.vps
    .map((vps) => {
      const spent = vps.usage.cpuSeconds - (used.get(vps.id) ?? vps.usage.cpuSeconds);
      return { vps, cpu: Math.max(0, (spent / seconds) * 100) };
    })
    .sort((a, b) => b.cpu - a.cpu || b.vps.usage.memory - a.vps.usage.memory);
}

function render({ terminal }: Context, rows: readonly Row[]): string[] {
  return renderTable<Row>(
    [
      { title: 'NAME', value: ({ vps }) => vps.name, shrink: 1, least: 12 },
      { title: 'STATE', value: ({ vps }) => stateText(vps), tone: ({ vps }) => stateTone(vps.state) },
      { title: 'CPU%', value: ({ cpu }) => cpu.toFixed(1), align: 'right' },
      { title: 'MEMORY', value: ({ vps }) => formatSize(vps.usage.memory), align: 'right' },
      { title: 'OF', value: ({ vps }) => formatSize(vps.limits.memory), align: 'right', shrink: 3 },
      { title: 'DISK', value: ({ vps }) => formatSize(vps.usage.disk), align: 'right' },
      { title: 'PROCS', value: ({ vps }) => String(vps.usage.processes ?? '?'), align: 'right' },
      { title: 'NET IN', value: ({ vps }) => formatSize(vps.usage.networkIn), align: 'right', shrink: 4 },
      { title: 'NET OUT', value: ({ vps }) => formatSize(vps.usage.networkOut), align: 'right', shrink: 4 },
    ],
    rows,
    terminal.width,
    terminal.style,
  );
}
