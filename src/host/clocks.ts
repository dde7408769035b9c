import { openSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { unshareElsewhere } from './syscalls/libc.ts';
import { hasCode } from './system-error.ts';

const CLONE_NEWTIME = 0x80;
const KIND = 'ns/time_for_children';
let last: Promise<unknown> = Promise.resolve();

/**
 * A time namespace whose clocks since boot begin now, at the host's whole seconds, by descriptor (time_namespaces(7)). It is
 * made for what a thread of this process would start; that thread starts nothing, and no program is needed for it. One
 * after another, as the thread is known by what has changed. @throws SystemError
 */
export function makeClocks(): Promise<number> {
  const made = last.then(makeNext, makeNext);
  last = made;
  return made;
}

async function makeNext(): Promise<number> {
  const before = clocksOfThreads();
  await unshareElsewhere(CLONE_NEWTIME, 'clocks');
  const own = readlinkSync('/proc/self/ns/time');
  for (const [thread, clocks] of clocksOfThreads()) {
    if (clocks === (before.get(thread) ?? own)) continue;
    const offset = -Math.floor(uptime());
    writeFileSync(`/proc/${thread}/timens_offsets`, `monotonic ${offset} 0\nboottime ${offset} 0\n`);
    return openSync(`/proc/${thread}/${KIND}`, 'r');
  }
  throw new Error('the thread with new clocks has ended');
}

function clocksOfThreads(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const thread of readdirSync('/proc/self/task')) {
    try {
      found.set(thread, readlinkSync(`/proc/${thread}/${KIND}`));
    } catch (failure) {
      if (!hasCode(failure, 'ENOENT', 'ESRCH')) throw failure;
    }
  }
  return found;
}
