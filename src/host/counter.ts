import { setTimeout as sleep } from 'node:timers/promises';
import { libc } from './syscalls/libc.ts';
import { hasSteadyCounter } from './virtualization.ts';

/** rdtsc; shl rdx, 32; or rax, rdx; ret: a function of the System V ABI for x86-64 that answers the counter. */
const READ_COUNTER = Buffer.from('0f3148c1e2204809d0c3', 'hex');
const PROT_ALL = 7;
const MAP_PRIVATE_ANONYMOUS = 0x22;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const PAGE = 4096;

/** Between two looks; each is off by about a microsecond. */
const MEASURE_MS = 60;
const TRIES = 20;
/** Two measurements of one counter give the same figure. */
const ROUND_KHZ = 10;

interface Look {
  readonly counter: bigint;
  /** Of CLOCK_MONOTONIC, in nanoseconds. */
  readonly time: bigint;
}

let measured: Promise<number | undefined> | undefined;

/**
 * Cycles of the processors' time stamp counter in a millisecond, measured once; undefined where it has not always one speed, and
 * where this process may not make memory that it can execute.
 */
export function counterKhz(): Promise<number | undefined> {
  measured ??= measure();
  return measured;
}

async function measure(): Promise<number | undefined> {
  if (process.arch !== 'x64' || !hasSteadyCounter()) return undefined;
  const read = counterReader();
  if (read === undefined) return undefined;
  const from = look(read);
  await sleep(MEASURE_MS);
  const to = look(read);
  return khzBetween(from, to);
}

export function khzBetween(from: Look, to: Look): number {
  const khz = (Number(to.counter - from.counter) * 1e6) / Number(to.time - from.time);
  return Math.round(khz / ROUND_KHZ) * ROUND_KHZ;
}

/** The look of several during which the least time passed. */
function look(read: () => bigint): Look {
  let best: (Look & { readonly took: bigint }) | undefined;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const before = process.hrtime.bigint();
    const counter = read();
    const took = process.hrtime.bigint() - before;
    if (best === undefined || took < best.took) best = { counter, time: before + took / 2n, took };
  }
  if (best === undefined) throw new RangeError('no look');
  return best;
}

function counterReader(): (() => bigint) | undefined {
  const { mmap, view, counterAt } = libc();
  const address = mmap(null, PAGE, PROT_ALL, MAP_PRIVATE_ANONYMOUS, -1, 0);
  if (address === MAP_FAILED) return undefined;
  new Uint8Array(view(address, READ_COUNTER.length)).set(READ_COUNTER);
  return counterAt(address);
}
