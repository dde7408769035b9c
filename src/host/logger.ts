import type { Writable } from 'node:stream';
import type { Logger } from '../core/logger.ts';

type Level = 'info' | 'warn' | 'error';

/** Deeper than this is not written. */
const DEPTH = 8;

/** One JSON document a line: time, level, message, then the fields. An error becomes its name, code, message, cause. */
export function createLogger(stream: Writable): Logger {
  const write =
    (level: Level): Logger['info'] =>
    (message, fields = {}) => {
      stream.write(`${renderLine(new Date(), level, message, fields)}\n`);
    };
  return { info: write('info'), warn: write('warn'), error: write('error') };
}

export function renderLine(
  time: Date,
  level: Level,
  message: string,
  fields: Readonly<Record<string, unknown>>,
): string {
  const own = { time: time.toISOString(), level, message };
  return JSON.stringify({ ...own, ...entriesOf(fields, [fields]), ...own });
}

function plain(value: unknown, ancestors: readonly object[]): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (ancestors.includes(value) || ancestors.length > DEPTH) return '[deeper]';
  const inside = [...ancestors, value];
  if (Array.isArray(value)) return value.map((item: unknown) => plain(item, inside));
  if (!(value instanceof Error)) return entriesOf(value, inside);
  const { name, message, cause, stack } = value;
  const code = 'code' in value ? value.code : undefined;
  return entriesOf({ name, code, message, cause, stack }, inside);
}

const entriesOf = (value: object, ancestors: readonly object[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item, ancestors)]));
