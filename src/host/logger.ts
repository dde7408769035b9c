import type { Writable } from 'node:stream';
import type { Logger } from '../core/logger.ts';

type Level = 'info' | 'warn' | 'error';

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
  const seen = new WeakSet<object>();
  const plain = (_key: string, value: unknown): unknown => {
    if (typeof value === 'bigint') return value.toString();
    if (typeof value !== 'object' || value === null) return value;
    if (seen.has(value)) return '[again]';
    seen.add(value);
    if (!(value instanceof Error)) return value;
    const { name, message: text, cause, stack } = value;
    const code = 'code' in value ? value.code : undefined;
    return { name, code, message: text, cause, stack };
  };
  const own = { time: time.toISOString(), level, message };
  return JSON.stringify({ ...own, ...fields, ...own }, plain);
}
