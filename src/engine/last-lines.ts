import { bounded } from './bounded.ts';
import type { Context } from './context.ts';
import { machineOf } from './machine.ts';
import type { VpsRecord } from './records.ts';

const LINES = 20;
const BYTES = 16_384;

/** What a VPS wrote last on its console, at most 20 lines; none when that cannot be read. */
export async function lastLines(context: Context, record: VpsRecord): Promise<string[]> {
  const logs = context.deps.drivers.get(record.technique)?.logs;
  if (logs === undefined) return [];
  const controller = new AbortController();
  try {
    return await bounded('read the log', context.timings.question, read());
  } catch {
    return [];
  } finally {
    controller.abort();
  }

  async function read(): Promise<string[]> {
    const options = { follow: false, lines: LINES, signal: controller.signal };
    const stream = await logs?.readLogs(machineOf(context, record), options);
    let tail = Buffer.alloc(0);
    for await (const part of stream ?? []) tail = Buffer.concat([tail, Buffer.from(part)]).subarray(-BYTES);
    const lines = tail.toString('utf8').split(/\r?\n/);
    return lines.filter((line) => line !== '').slice(-LINES);
  }
}
