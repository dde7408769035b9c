import { formatSize } from '../contract/size-text.ts';
import type { LossRow } from './loss-rows.ts';
import type { Style } from './output/style.ts';
import { type Column, renderTable } from './output/table.ts';
import { briefRates } from './rate-view.ts';
import { stateText, stateTone } from './vps-view.ts';

const percent = (title: string, value: (row: LossRow) => number | undefined): Column<LossRow> => ({
  title,
  value: (row) => value(row)?.toFixed(1) ?? '-',
  align: 'right',
});

const COLUMNS: readonly Column<LossRow>[] = [
  { title: 'NAME', value: ({ vps }) => vps.name, shrink: 1, least: 12 },
  { title: 'STATE', value: ({ vps }) => stateText(vps), tone: ({ vps }) => stateTone(vps.state) },
  percent('CPU%', ({ cpu }) => cpu),
  percent('CAPPED%', ({ capped }) => capped),
  percent('STOLEN%', ({ stolen }) => stolen),
  { title: 'MEMORY', value: ({ vps }) => formatSize(vps.usage.memory), align: 'right' },
  { title: 'OF', value: ({ vps }) => formatSize(vps.limits.memory), align: 'right', shrink: 4 },
  { ...percent('MSTALL%', ({ memoryStalled }) => memoryStalled), shrink: 2, least: 7 },
  { title: 'DISK', value: ({ vps }) => formatSize(vps.usage.disk), align: 'right' },
  { ...percent('DSTALL%', ({ ioStalled }) => ioStalled), shrink: 2, least: 7 },
  { title: 'PROCS', value: ({ vps }) => String(vps.usage.processes ?? '?'), align: 'right', shrink: 3 },
  { title: 'NET IN', value: ({ vps }) => formatSize(vps.usage.networkIn), align: 'right', shrink: 5 },
  { title: 'NET OUT', value: ({ vps }) => formatSize(vps.usage.networkOut), align: 'right', shrink: 5 },
  { title: 'RATES AT MOST', value: ({ vps }) => briefRates(vps.limits), shrink: 6 },
];

export const renderTop = (rows: readonly LossRow[], width: number, style?: Style): string[] =>
  renderTable(COLUMNS, rows, width, style);
