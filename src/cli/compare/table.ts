import { sanitizeLine } from '../output/sanitize.ts';
import type { Style } from '../output/style.ts';
import { type Column, renderTable } from '../output/table.ts';
import { wrap } from '../output/width.ts';
import { formatValue } from './format.ts';
import { MEASURES } from './measures.ts';
import { type Comparison, numberOf, type Subject } from './result.ts';

const WIDEST = 100;

/** The comparison as lines: measures down, techniques across, then what was not measured and why. */
export function renderComparison(
  { techniques, quick, host }: Comparison,
  width: number,
  style: Style,
): string[] {
  const shown = techniques.filter(
    ({ state, values }) => state === 'measured' || Object.keys(values).length > 0,
  );
  const room = Math.min(width, WIDEST);
  const columns: Column<(typeof MEASURES)[number]>[] = [
    { title: '', value: ({ short }) => short, shrink: 1, least: 10 },
    ...shown.map((subject) => ({
      title: subject.technique,
      align: 'right' as const,
      value: ({ id, unit }: (typeof MEASURES)[number]) => {
        const number = numberOf(subject, id);
        return number === undefined ? '-' : formatValue(number, unit);
      },
    })),
  ];
  const notes = techniques.flatMap(notesOf).flatMap((note) => indented(note, room));
  return [
    ...renderTable(columns, MEASURES, width, style),
    '',
    ...(notes.length === 0 ? [] : [...notes, '']),
    ...wrap(
      sanitizeLine(
        `Measured one after another on ${host.cpus} processors (${host.processor}).${quick ? ' With --quick: each once and short, so that small differences say nothing.' : ''} Differences below a factor of two may be other work of this host.`,
      ),
      room,
    ).map((line) => style('dim', line)),
  ];
}

/** What is missing of a technique, with the reasons. */
export function notesOf({ technique, state, reason, remedy, values }: Subject): string[] {
  const whole =
    state === 'measured'
      ? []
      : [
          `${technique} ${state === 'failed' ? 'broke off' : 'not measured'}: ${reason}${remedy === '' ? '' : ` Try: ${remedy}`}`,
        ];
  const gaps = MEASURES.flatMap(({ id, short }) => {
    const found = values[id];
    return found?.value === null ? [`${technique}, ${short}: ${found.reason}`] : [];
  });
  return [...whole, ...gaps];
}

const indented = (note: string, room: number): string[] =>
  wrap(sanitizeLine(note), room - 2).map((line, index) => (index === 0 ? line : `  ${line}`));
