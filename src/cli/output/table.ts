import { sanitizeLine } from './sanitize.ts';
import { plainStyle, type Style, type Tone } from './style.ts';
import { padEnd, padStart, textWidth, truncate } from './width.ts';

export interface Column<R> {
  readonly title: string;
  readonly value: (row: R) => string;
  readonly align?: 'left' | 'right';
  readonly tone?: (row: R) => Tone | undefined;
  /** Columns with a priority are narrowed, and at last left out, when the table is too wide; highest first. */
  readonly shrink?: number;
  /** Narrowest width worth showing. */
  readonly least?: number;
}

const GAP = 2;

/** Lines of a table with a header, no wider than `width` where its columns allow that. Cells are made safe. */
export function renderTable<R>(
  columns: readonly Column<R>[],
  rows: readonly R[],
  width: number,
  style: Style = plainStyle,
): string[] {
  const cells = columns.map((column) => rows.map((row) => sanitizeLine(column.value(row))));
  const natural = columns.map((column, index) =>
    Math.max(textWidth(column.title), ...(cells[index] ?? []).map(textWidth)),
  );
  const widths = fit(columns, natural, width);
  const shown = columns.map((column, index) => ({ column, index, width: widths[index] ?? 0 }));
  const line = (cell: (index: number) => string, tone: (column: Column<R>) => Tone | undefined): string =>
    shown
      .filter((entry) => entry.width > 0)
      .map(({ column, index, width: room }) => {
        const text = truncate(cell(index), room);
        const padded = column.align === 'right' ? padStart(text, room) : padEnd(text, room);
        return style(tone(column), padded);
      })
      .join(' '.repeat(GAP))
      .trimEnd();
  return [
    line(
      (index) => columns[index]?.title ?? '',
      () => 'bold',
    ),
    ...rows.map((row, number) =>
      line(
        (index) => cells[index]?.[number] ?? '',
        (column) => column.tone?.(row),
      ),
    ),
  ];
}

function fit<R>(columns: readonly Column<R>[], natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  const total = (): number => {
    const shown = widths.filter((value) => value > 0);
    return shown.reduce((sum, value) => sum + value, 0) + GAP * Math.max(0, shown.length - 1);
  };
  const order = columns
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => column.shrink !== undefined)
    .sort((a, b) => (b.column.shrink ?? 0) - (a.column.shrink ?? 0));
  for (const { column, index } of order) {
    const over = total() - width;
    if (over <= 0) break;
    const least = Math.max(column.least ?? 6, 1);
    widths[index] = Math.max(Math.min(least, natural[index] ?? 0), (natural[index] ?? 0) - over);
  }
  for (const { index } of order) {
    if (total() <= width) break;
    widths[index] = 0;
  }
  return widths;
}
