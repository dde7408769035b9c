import type { Client } from '../client/client.ts';
import type { Terminal } from './terminal.ts';

/** What every command may use. */
export interface Context {
  readonly client: Client;
  readonly terminal: Terminal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly json: boolean;
  readonly quiet: boolean;
  /** Whether to wait for tasks. */
  readonly wait: boolean;
  /** The query of routes of a project: empty when the default is meant. */
  readonly project: { readonly project?: string };
}

/** Prints one JSON document. */
export const printJson = (context: Context, document: unknown): void =>
  context.terminal.print(JSON.stringify(document, undefined, context.terminal.isTerminal ? 2 : undefined));

/** A line for people: not printed with --json or --quiet. */
export function say(context: Context, line: string): void {
  if (!context.json && !context.quiet) context.terminal.print(line);
}

/** A warning for people, on standard error. */
export function warn(context: Context, line: string): void {
  if (!context.quiet) context.terminal.note(`${context.terminal.errorStyle('yellow', 'warning:')} ${line}`);
}
