/**
 * A daemon of the sources whose works stand still: each counts its calls to what is below the engine, and does not hear
 * the answer of the one that the file `stops` names for it. Who kills the daemon then kills each work at that point. The
 * file `calls` tells how far each has come.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { appendFileSync, readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { runDaemon } from '../../src/daemon.ts';
import { KeyedQueue } from '../../src/engine/keyed-queue.ts';
import { Jails } from '../../src/host/jail/jails.ts';
import { BtrfsPool } from '../../src/storage/btrfs/btrfs-pool.ts';
import { CommitQueue } from '../../src/store/sqlite/commit-queue.ts';

const folder = dirname(process.env.MULLION_STATE_DIR ?? '');
const StopsSchema = z.record(z.string(), z.number());

interface Work {
  readonly name: string;
  readonly stop: number | undefined;
  calls: number;
}

/** Named by its outermost queue. */
function beginWork(name: string): Work {
  const stops = StopsSchema.parse(JSON.parse(readFileSync(join(folder, 'stops'), 'utf8')));
  return { name, stop: stops[name], calls: 0 };
}

const works = new AsyncLocalStorage<Work>();
const enqueue = KeyedQueue.prototype.run;
KeyedQueue.prototype.run = function <T>(this: KeyedQueue, key: string, work: () => Promise<T>): Promise<T> {
  const outer = works.getStore();
  const counted = (): Promise<T> => works.run(outer ?? beginWork(key), work);
  return Reflect.apply(enqueue<T>, this, [key, counted]);
};

function count(prototype: object, methods: readonly string[]): void {
  for (const method of methods) {
    const call: unknown = Reflect.get(prototype, method);
    if (typeof call !== 'function') throw new TypeError(`${method} is no method`);
    Reflect.set(prototype, method, async function (this: unknown, ...parameters: unknown[]) {
      const answer: unknown = await Reflect.apply(call, this, parameters);
      const work = works.getStore();
      if (work === undefined) return answer;
      work.calls += 1;
      appendFileSync(join(folder, 'calls'), `${work.name} ${work.calls} ${method}\n`);
      if (work.calls === work.stop) await new Promise(() => undefined);
      return answer;
    });
  }
}

count(BtrfsPool.prototype, ['createVolume', 'cloneVolume', 'deleteVolume']);
count(BtrfsPool.prototype, ['stageImage', 'sealImage', 'deleteImage']);
// Its answer comes while the program in the jail runs.
count(Jails.prototype, ['start']);
count(CommitQueue.prototype, ['run']);

// It will be killed, and Node would keep what it has compiled at a program's end only.
flushCompileCache();
process.exitCode = await runDaemon(process.env);
