import { asMullionError, type MullionError } from '../contract/error-table.ts';
import { sanitizeLine } from './output/sanitize.ts';
import type { Terminal } from './terminal.ts';

/** Prints what went wrong and what to do about it; answers the exit code of the command line. */
export function reportError(thrown: unknown, terminal: Terminal, json: boolean): number {
  const error = asMullionError(thrown);
  if (json) terminal.print(JSON.stringify({ error: error.toBody() }));
  else for (const line of renderError(error, terminal)) terminal.note(line);
  return error.entry.exitCode;
}

/** The message, then the remedy. */
export function renderError(error: MullionError, terminal: Pick<Terminal, 'errorStyle'>): string[] {
  const style = terminal.errorStyle;
  return [
    `${style('red', 'error:')} ${sanitizeLine(error.message)}`,
    ...(error.remedy === '' ? [] : [`${style('dim', '  try:')} ${sanitizeLine(error.remedy)}`]),
  ];
}
