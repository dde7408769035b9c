import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS, type Loss, type VpsInfo } from '../contract/vps.ts';
import { lossRows } from './loss-rows.ts';
import { renderTop } from './top-view.ts';

const GIB = 1024 ** 3;
const NOTHING: Loss = {
  ...{ cpuWaited: 0, cpuThrottled: 0, memoryStalled: 0, ioStalled: 0, oomKills: 0 },
};

interface Seen {
  readonly cpus?: number;
  readonly got: number;
  readonly loss?: Partial<Loss>;
}

const vps = ({ cpus = 1, got, loss = {} }: Seen): VpsInfo => ({
  ...{ id: 'vps-1', name: 'twelve-chars', project: 'default', technique: 'os', driver: 'crun' },
  ...{ image: 'debian/12', state: 'running', health: 'ready', message: '', network: 'default' },
  ...{ addresses: [], mac: '', restart: 'always', autostart: 'never', snapshotCount: 0, pendingRestart: [] },
  ...{ backup: 'none', createdAt: '', startedAt: null, node: 'node-1', reason: '', lastWords: [] },
  ...{ ...DEFAULT_LIMITS, cpus, limits: { ...DEFAULT_LIMITS, cpus } },
  ...{ snapshots: [], forwards: [] },
  usage: { cpuSeconds: got, memory: GIB, disk: GIB, networkIn: GIB, networkOut: GIB, processes: 8 },
  loss: { ...NOTHING, ...loss },
});

/** What a second showed of a VPS on a host of two processors. */
function second(seen: Seen) {
  const none: Seen = { ...seen, got: 0, loss: seen.loss?.cpuWaited === null ? seen.loss : {} };
  const [row] = lossRows({ at: 0, vps: [vps(none)] }, { at: 1000, vps: [vps(seen)] }, 2);
  return row ?? assert.fail();
}

test('a VPS that is alone and uses all that it may have has nothing stolen, however many threads it runs', () => {
  const alone = second({ cpus: 2, got: 2, loss: { cpuWaited: 1 } });
  assert.deepEqual([alone.cpu, alone.capped, alone.stolen], [200, 0, 0]);
  const limited = second({ cpus: 0.5, got: 0.5, loss: { cpuWaited: 0.9, cpuThrottled: 0.4 } });
  assert.deepEqual([limited.capped, limited.stolen], [40, 0]);
  const wide = second({ cpus: 64, got: 2, loss: { cpuWaited: 1 } });
  assert.equal(wide.stolen, 0, 'the host has no more');
});

test('what neighbours had is what it waited for and did not get', () => {
  assert.equal(second({ cpus: 2, got: 1, loss: { cpuWaited: 1 } }).stolen, 100);
  assert.equal(second({ cpus: 1, got: 0.75, loss: { cpuWaited: 0.5 } }).stolen, 25);
  assert.equal(second({ cpus: 1, got: 0.25, loss: { cpuWaited: 0.75, cpuThrottled: 0.5 } }).stolen, 25);
  assert.equal(second({ cpus: 2, got: 0.5 }).stolen, 0, 'it did not want more');
});

test('stalls are shares of the time, and what the host cannot tell stays open', () => {
  const row = second({ got: 0, loss: { memoryStalled: 0.25, ioStalled: 0.5 } });
  assert.deepEqual([row.memoryStalled, row.ioStalled], [25, 50]);
  const blind = { cpuWaited: null, cpuThrottled: null, memoryStalled: null, ioStalled: null };
  const { capped, stolen, memoryStalled, ioStalled } = second({ got: 1, loss: blind });
  assert.deepEqual([capped, stolen, memoryStalled, ioStalled], [undefined, undefined, undefined, undefined]);
});

test('a line of 80 columns has all that a VPS lost', () => {
  const row = second({ cpus: 2, got: 1, loss: { cpuWaited: 1, memoryStalled: 0.25, ioStalled: 0.5 } });
  const [titles = '', line = ''] = renderTop([row], 80);
  assert.match(titles, /^NAME +STATE +CPU% +CAPPED% +STOLEN% +MEMORY +MSTALL% +DISK +DSTALL%/);
  assert.match(line, /^twelve-chars +running +100\.0 +0\.0 +100\.0 +1G +25\.0 +1G +50\.0/);
  assert.ok(titles.length <= 80 && line.length <= 80);
  assert.match(renderTop([row], 64)[1] ?? '', /^twelve-chars/, 'its name goes last');
});
