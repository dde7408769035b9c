import { defineCommand } from '../command.ts';
import { type Context, printJson } from '../context.ts';
import { type Look, type LossRow, lossRows } from '../loss-rows.ts';
import { LiveArea } from '../output/live-area.ts';
import { renderTop } from '../top-view.ts';
import { inParallel } from '../verb.ts';

export const command = defineCommand({
  summary: 'show what VPSs use, live',
  description:
    'The busiest come first; 100% is one processor. CAPPED is what its own limit kept from it; STOLEN what it waited for and neither its limit nor its own use of all its processors explains: neighbours, or the host, had it. MSTALL and DSTALL are the time in which some of its processes waited for memory or for a disk, RATES the limits of its disk (r, w) and network (in, out) a second; - where the host cannot tell. A narrow terminal shows fewer columns. On a terminal it goes on until Ctrl-C; elsewhere, or with --once, it looks twice and prints one table.',
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
    const { host } = await context.client.call('server.info');
    const { width, style } = context.terminal;
    let last = await look(context);
    if (!live) {
      await sleep(Math.min(pause, 1000));
      const rows = lossRows(last, await look(context), host.cpus);
      if (context.json) printJson(context, rows.map(rowAsJson));
      else context.terminal.printAll(renderTop(rows, width, style));
      return 0;
    }
    const area = new LiveArea(process.stdout);
    for (;;) {
      await sleep(pause);
      const now = await look(context);
      area.draw(
        renderTop(lossRows(last, now, host.cpus), context.terminal.width, style),
        process.stdout.rows,
      );
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

const rowAsJson = ({ vps, cpu, capped, stolen, memoryStalled, ioStalled }: LossRow) => ({
  ...vps,
  cpuPercent: cpu,
  cappedPercent: capped ?? null,
  stolenPercent: stolen ?? null,
  memoryStalledPercent: memoryStalled ?? null,
  ioStalledPercent: ioStalled ?? null,
});
