import { type Context, printJson } from './context.ts';
import { type Field, renderRecord } from './output/record.ts';

/** Prints a thing's fields, or the whole thing as JSON when that was asked for. */
export function printRecord(context: Context, thing: unknown, fields: readonly Field[]): void {
  const { terminal } = context;
  if (context.json) printJson(context, thing);
  else terminal.printAll(renderRecord(fields, terminal.width, terminal.style));
}
