import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { keepApart, type ProcessorDemand } from './processor-plan.ts';

type Busy = Readonly<Record<string, number | readonly [cpus: number, share: number]>>;
const busyOf = (busy: Busy): ProcessorDemand['busy'] =>
  new Map(
    Object.entries(busy).map(([id, each]) => {
      const [cpus, share] = typeof each === 'number' ? [each, each] : each;
      return [id, { cpus, share }];
    }),
  );
const plan = (
  busy: Busy,
  processors: readonly number[],
  more: Partial<ProcessorDemand> = {},
): Record<string, readonly number[]> =>
  Object.fromEntries(
    keepApart({
      busy: busyOf(busy),
      processors,
      load: new Map(),
      interrupts: new Map(),
      cores: new Map(),
      others: 0,
      kept: new Map(),
      ...more,
    }),
  );

test('a busy machine is kept on as many processors as it has, away from the first', () => {
  assert.deepEqual(plan({ a: 1 }, [0, 1]), { a: [1] });
  assert.deepEqual(plan({ a: 1.5, b: 0.2 }, [0, 1, 2, 3]), { a: [2, 3], b: [1] });
});

test('it is kept where least is going on', () => {
  const load = new Map([
    [0, 0.05],
    [1, 0.5],
    [2, 0.3],
    [3, 1],
  ]);
  assert.deepEqual(plan({ a: 2 }, [0, 1, 2, 3], { load, others: 1 }), { a: [0, 2] });
});

test('it leaves alone who has the interrupts, unless another has much more to do', () => {
  const interrupts = new Map([
    [0, 1_000],
    [1, 4_000_000],
  ]);
  const load = (first: number, second: number) => ({
    load: new Map([
      [0, first],
      [1, second],
    ]),
  });
  assert.deepEqual(plan({ a: 1 }, [0, 1], { interrupts }), { a: [0] });
  assert.deepEqual(plan({ a: 1 }, [0, 1], { interrupts, ...load(0.9, 0.6) }), { a: [0] });
  assert.deepEqual(plan({ a: 1 }, [0, 1], { interrupts, ...load(0.9, 0.2) }), { a: [1] });
  const alike = new Map([0, 1, 2, 3].map((each) => [each, 5_000_000 + each]));
  assert.deepEqual(plan({ a: 2 }, [0, 1, 2, 3], { interrupts: alike }), { a: [2, 3] });
});

test('it gets threads of different cores as long as there are such', () => {
  const cores = new Map([0, 1, 2, 3, 4, 5].map((each) => [each, `${each - (each % 2)}`]));
  assert.deepEqual(plan({ a: 2 }, [0, 1, 2, 3, 4, 5], { cores }), { a: [3, 5] });
  assert.deepEqual(plan({ a: 4 }, [0, 1, 2, 3, 4, 5], { cores }), { a: [1, 3, 4, 5] });
});

test('nobody is kept where what is left has no room for the others', () => {
  assert.deepEqual(plan({ a: 2 }, [0, 1]), {});
  assert.deepEqual(plan({ a: 1, b: 1 }, [0, 1]), {});
  assert.deepEqual(plan({ a: 1 }, [5]), {});
  assert.deepEqual(plan({ a: 1 }, []), {});
  assert.deepEqual(plan({ a: 1 }, [0, 1], { others: 0.9 }), {});
  assert.deepEqual(plan({ a: 1 }, [0, 1], { others: 0.6 }), { a: [1] });
});

test('who is kept stays so until others need its processors', () => {
  const kept = new Map([['a', [1]]]);
  assert.deepEqual(plan({ a: 1 }, [0, 1], { kept, others: 0.9 }), { a: [1] });
  assert.deepEqual(plan({ a: 1 }, [0, 1], { kept, others: 1.1 }), {});
});

test('those for whom there is no room are others: who is kept goes first, then who uses most', () => {
  const small = [1, 0.3] as const;
  assert.deepEqual(plan({ small, a: 1 }, [0, 1]), { a: [1] });
  assert.deepEqual(plan({ small, a: 1 }, [0, 1], { kept: new Map([['small', [1]]]) }), { small: [1] });
  assert.deepEqual(plan({ small, a: 2, b: [1, 0.9] }, [0, 1, 2, 3]), { a: [2, 3], b: [1] });
});

test('who is kept already stays where it is, unless it needs more or has lost a processor', () => {
  assert.deepEqual(plan({ a: 1, b: 1 }, [0, 1, 2, 3], { kept: new Map([['a', [2]]]) }), { a: [2], b: [3] });
  assert.deepEqual(plan({ a: 2 }, [0, 1, 2, 3], { kept: new Map([['a', [2]]]) }), { a: [2, 3] });
  assert.deepEqual(plan({ a: 1 }, [0, 1, 2], { kept: new Map([['a', [3]]]) }), { a: [2] });
});

test('two never have a processor in common, and there is room for the others, whatever was before', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd');
  const part = fc.double({ min: 0, max: 1, noNaN: true });
  const machine = fc.record({ cpus: fc.double({ min: 0.05, max: 4, noNaN: true }), share: part });
  const processor = fc.integer({ min: 0, max: 15 });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(id, machine)),
      fc.uniqueArray(processor, { maxLength: 9 }),
      fc.array(fc.tuple(processor, part)),
      fc.double({ min: 0, max: 8, noNaN: true }),
      fc.array(fc.tuple(id, fc.uniqueArray(processor, { maxLength: 4 }))),
      (pairs, processors, load, others, kept) => {
        const busy = new Map(pairs);
        const demand = {
          busy,
          processors,
          load: new Map(load),
          interrupts: new Map(load.map(([processor]) => [processor, processor * 1_000])),
          cores: new Map(),
          others,
          kept: new Map(kept),
        };
        const answer = keepApart(demand);
        const used = [...answer.values()].flat();
        assert.equal(new Set(used).size, used.length);
        assert.ok(used.every((one) => processors.includes(one)));
        assert.ok(used.length === 0 || used.length + others <= processors.length);
        for (const [name, own] of answer) {
          const { cpus = 0 } = Object.fromEntries(busy)[name] ?? {};
          assert.equal(own.length, Math.ceil(cpus));
        }
      },
    ),
  );
});
