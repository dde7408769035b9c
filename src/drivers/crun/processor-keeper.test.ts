import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ProcessorKeeper } from './processor-keeper.ts';

/** A host whose processors are used as a test says; a container that is kept uses those that it is kept on. */
class Ground {
  readonly lists = new Map<string, readonly number[]>();
  /** Processors that each container would use. */
  readonly wanted = new Map<string, number>();
  /** Of each processor, what is used by all that is no container. */
  readonly foreign = new Map<number, number>();
  refuses = false;
  writes = 0;
  readonly #all: readonly number[];
  readonly #used = new Map<string, number>();
  readonly #busy = new Map<number, number>();
  #at = 0;
  readonly keeper: ProcessorKeeper;

  constructor(t: TestContext, count: number, keeps = true) {
    this.#all = Array.from({ length: count }, (_, index) => index);
    for (const processor of this.#all) this.#busy.set(processor, 0);
    const processors = {
      used: (group: string) =>
        group === 'all'
          ? [...this.#used.values()].reduce((sum, one) => sum + one, 0)
          : (this.#used.get(group) ?? 0),
      of: (group: string) => [...(this.lists.get(group) ?? this.#all)],
      shared: () => [...this.#all],
      cores: new Map<number, string>(),
      keep: (group: string, list: readonly number[] | undefined) => {
        this.writes += 1;
        if (this.refuses) throw new Error('ENOSPC');
        if (list === undefined) this.lists.delete(group);
        else this.lists.set(group, list);
      },
      busySeconds: () => new Map(this.#busy),
      interrupts: () => new Map(),
    };
    this.keeper = new ProcessorKeeper({ processors, parent: 'all', keeps, now: () => this.#at });
    t.after(() => this.keeper.close());
  }

  /** What each got since. */
  pass(seconds: number): Map<string, number> {
    const before = new Map(this.#used);
    for (let left = seconds; left > 0; left -= 0.25) {
      this.#at += 250;
      for (const processor of this.#all) this.#add(processor, 0.25 * (this.foreign.get(processor) ?? 0));
      for (const [group, wanted] of this.wanted) {
        const list = this.lists.get(group) ?? this.#all;
        const room = list.reduce((sum, one) => sum + 1 - Math.min(0.5, this.foreign.get(one) ?? 0), 0);
        const got = 0.25 * Math.min(wanted, room);
        this.#used.set(group, (this.#used.get(group) ?? 0) + got);
        for (const processor of list) this.#add(processor, got / list.length);
      }
      this.keeper.look();
    }
    return new Map([...this.#used].map(([group, used]) => [group, used - (before.get(group) ?? 0)]));
  }

  #add(processor: number, seconds: number): void {
    this.#busy.set(processor, (this.#busy.get(processor) ?? 0) + seconds);
  }
}

test('a container is kept soon after it has become busy, and is free some seconds after', (t) => {
  const ground = new Ground(t, 2);
  for (const id of ['a', 'b']) ground.keeper.watch(id, id, 1);
  ground.wanted.set('a', 0.1);
  ground.pass(3);
  assert.equal(ground.writes, 0);
  ground.wanted.set('a', 1);
  ground.pass(1.5);
  assert.deepEqual([...ground.lists], [['a', [1]]]);
  ground.pass(10);
  assert.equal(ground.writes, 1);
  ground.wanted.set('a', 0.1);
  ground.pass(4);
  assert.deepEqual([...ground.lists], []);
});

test('a container that works now and then does not stay kept', (t) => {
  const ground = new Ground(t, 8);
  ground.keeper.watch('a', 'a', 1);
  for (let round = 0; round < 10; round += 1) {
    ground.wanted.set('a', 1);
    ground.pass(0.25);
    ground.wanted.set('a', 0);
    ground.pass(2.25);
  }
  assert.deepEqual([...ground.lists], []);
});

test('nobody is kept beside machines that need the rest of the host', (t) => {
  const ground = new Ground(t, 4);
  ground.keeper.watch('a', 'a', 1);
  ground.wanted.set('a', 0.8);
  for (const processor of [0, 1, 2, 3]) ground.foreign.set(processor, 0.8);
  ground.pass(10);
  assert.equal(ground.writes, 0);
});

test('it is let go from a processor on which another program is bound, and loses little to it', (t) => {
  const ground = new Ground(t, 4);
  ground.keeper.watch('a', 'a', 1);
  ground.wanted.set('a', 1);
  ground.pass(2);
  assert.deepEqual([...ground.lists], [['a', [3]]]);
  ground.foreign.set(3, 1);
  ground.pass(1);
  assert.deepEqual([...ground.lists], []);
  const got = ground.pass(20).get('a') ?? 0;
  assert.ok(got > 19.9, `${got}`);
  assert.deepEqual([...ground.lists], [['a', [2]]]);
});

test('it is let go from several processors, one of which others use', (t) => {
  const ground = new Ground(t, 8);
  ground.keeper.watch('a', 'a', 4);
  ground.wanted.set('a', 4);
  ground.pass(2);
  assert.deepEqual([...ground.lists], [['a', [4, 5, 6, 7]]]);
  ground.foreign.set(7, 0.5);
  ground.pass(1);
  assert.deepEqual([...ground.lists], []);
});

test('what others do beside it everywhere moves it ever more seldom', (t) => {
  const ground = new Ground(t, 4);
  ground.keeper.watch('a', 'a', 1);
  ground.wanted.set('a', 1);
  for (const processor of [0, 1, 2, 3]) ground.foreign.set(processor, 0.3);
  ground.pass(600);
  assert.ok(ground.writes < 20, `${ground.writes}`);
});

test('an idle rest that others fill is no want: who gets all of a fraction stays', (t) => {
  const ground = new Ground(t, 4);
  ground.keeper.watch('a', 'a', 0.5);
  ground.wanted.set('a', 0.5);
  ground.pass(3);
  ground.foreign.set(3, 0.45);
  ground.pass(20);
  assert.equal(ground.writes, 1);
});

test('a neighbour that works in bursts does not free who is busy', (t) => {
  const ground = new Ground(t, 2);
  for (const id of ['a', 'b']) ground.keeper.watch(id, id, 1);
  ground.wanted.set('a', 1);
  ground.pass(2);
  for (let round = 0; round < 10; round += 1) {
    ground.wanted.set('b', 0.9);
    ground.pass(0.25);
    ground.wanted.set('b', 0.05);
    ground.pass(2.25);
  }
  assert.deepEqual([...ground.lists], [['a', [1]]]);
  assert.equal(ground.writes, 1);
});

test('a limit that changes frees nobody else, and takes effect', (t) => {
  const ground = new Ground(t, 8);
  for (const id of ['a', 'b']) {
    ground.keeper.watch(id, id, 1);
    ground.wanted.set(id, 1);
  }
  ground.pass(2);
  ground.keeper.watch('b', 'b', 2);
  ground.wanted.set('b', 2);
  ground.pass(1);
  assert.deepEqual(ground.lists.get('a'), [7]);
  assert.equal(ground.lists.get('b')?.length, 2);
  ground.keeper.watch('b', 'b', 8);
  ground.pass(0.25);
  assert.deepEqual([...ground.lists], [['a', [7]]]);
});

test('what could not be written is tried again, and whom an earlier daemon kept is looked after', (t) => {
  const ground = new Ground(t, 4);
  ground.lists.set('a', [3]);
  ground.keeper.watch('a', 'a', 1);
  ground.refuses = true;
  ground.pass(5);
  assert.deepEqual([...ground.lists], [['a', [3]]]);
  ground.refuses = false;
  ground.pass(0.5);
  assert.deepEqual([...ground.lists], []);
});

test('among many containers the busy one is found, some seconds later', (t) => {
  const ground = new Ground(t, 8);
  for (let index = 0; index < 1000; index += 1) ground.keeper.watch(`c${index}`, `c${index}`, 1);
  ground.wanted.set('c777', 1);
  ground.pass(10);
  assert.deepEqual([...ground.lists], [['c777', [7]]]);
});

test('a daemon that shall keep nobody frees whom an earlier one kept', (t) => {
  const ground = new Ground(t, 4, false);
  ground.lists.set('a', [3]);
  for (const id of ['a', 'b']) ground.keeper.watch(id, id, 1);
  assert.deepEqual([...ground.lists], []);
  ground.wanted.set('b', 1);
  ground.pass(5);
  assert.deepEqual([...ground.lists], []);
});
