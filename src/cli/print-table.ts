import { type Context, printJson, say } from './context.ts';
import { type Column, renderTable } from './output/table.ts';

/** Prints rows as a table, as JSON when that was asked for, or a hint when there are none. */
export function printTable<R>(
  context: Context,
  columns: readonly Column<R>[],
  rows: readonly R[],
  whenEmpty: string,
): void {
  const { terminal } = context;
  if (context.json) printJson(context, rows);
  else if (rows.length === 0) say(context, whenEmpty);
  else terminal.printAll(renderTable(columns, rows, terminal.width, terminal.style));
}
