import { text } from './markup.ts';

export interface Bar {
  readonly label: string;
  /** Class of its colour. */
  readonly tone: string;
  /** Undefined: nothing was measured. */
  readonly value: number | undefined;
  /** The value for people, or why there is none. */
  readonly caption: string;
}

const WIDTH = 300;
const ROW = 42;
const BAR = 12;
const LEAST = 2;

/** Horizontal bars from zero, as one SVG that also tells what it shows to those who do not see it. */
export function renderBars(title: string, bars: readonly Bar[]): string {
  const most = Math.max(0, ...bars.map(({ value }) => value ?? 0));
  const rows = bars.map((bar, index) => renderBar(bar, index * ROW, most));
  const told = bars.map(({ label, caption }) => `${label} ${caption}`).join(', ');
  const height = bars.length * ROW;
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${text(`${title}: ${told}`)}">${rows.join('')}</svg>`;
}

function renderBar({ label, tone, value, caption }: Bar, top: number, most: number): string {
  const length = value === undefined || most === 0 ? 0 : Math.max(LEAST, (value / most) * WIDTH);
  const y = top + 20;
  const bar =
    value === undefined
      ? ''
      : `<rect class="${tone}" x="0" y="${y}" width="${round(length)}" height="${BAR}" rx="3"/>`;
  return [
    `<text x="0" y="${top + 14}">${text(label)}</text>`,
    `<text class="${value === undefined ? 'none' : 'value'}" x="${WIDTH}" y="${top + 14}" text-anchor="end">${text(caption)}</text>`,
    `<rect class="track" x="0" y="${y}" width="${WIDTH}" height="${BAR}" rx="3"/>`,
    bar,
  ].join('');
}

const round = (value: number): number => Math.round(value * 10) / 10;
