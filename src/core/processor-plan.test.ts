import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { keepApart, type ProcessorDemand } from './processor-plan.ts';

const plan = (
  busy: Readonly<Record<string, number>>,
  processors: readonly number[],
  more: Partial<ProcessorDemand> = {},
): Record<string, readonly number[]> =>
  Object.fromEntries(
    keepApart({
      busy: new Map(Object.entries(busy)),
      processors,
      load: new Map(),
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

test('nobody is kept where what is left has no room for the others', () => {
  assert.deepEqual(plan({ a: 2 }, [0, 1]), {});
  assert.deepEqual(plan({ a: 1, b: 1 }, [0, 1]), {});
  assert.deepEqual(plan({ a: 1 }, [5]), {});
  assert.deepEqual(plan({ a: 1 }, []), {});
  assert.deepEqual(plan({ a: 1 }, [0, 1], { others: 0.9 }), {});
  assert.deepEqual(plan({ a: 1 }, [0, 1], { others: 0.6 }), { a: [1] });
});

test('who is kept already stays where it is, unless it needs more or has lost a processor', () => {
  assert.deepEqual(plan({ a: 1, b: 1 }, [0, 1, 2, 3], { kept: new Map([['a', [2]]]) }), { a: [2], b: [3] });
  assert.deepEqual(plan({ a: 2 }, [0, 1, 2, 3], { kept: new Map([['a', [2]]]) }), { a: [2, 3] });
  assert.deepEqual(plan({ a: 1 }, [0, 1, 2], { kept: new Map([['a', [3]]]) }), { a: [2] });
});

test('two never have a processor in common, and one is left, whatever was before', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd');
  const cpus = fc.double({ min: 0.05, max: 4, noNaN: true });
  const processor = fc.integer({ min: 0, max: 15 });
  const few = fc.uniqueArray(processor, { maxLength: 4 });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(id, cpus)),
      fc.uniqueArray(processor, { maxLength: 9 }),
      fc.array(fc.tuple(processor, fc.double({ min: 0, max: 1, noNaN: true }))),
      fc.double({ min: 0, max: 8, noNaN: true }),
      fc.array(fc.tuple(id, few)),
      (pairs, processors, load, others, kept) => {
        const busy = new Map<string, number>(pairs);
        const answer = keepApart({ busy, processors, load: new Map(load), others, kept: new Map(kept) });
        const used = [...answer.values()].flat();
        assert.equal(new Set(used).size, used.length);
        assert.ok(used.every((one) => processors.includes(one)));
        assert.ok(used.length === 0 || used.length + others <= processors.length);
        for (const [name, own] of answer) assert.equal(own.length, Math.ceil(busy.get(name) ?? 0));
        assert.ok(answer.size === 0 || answer.size === busy.size);
      },
    ),
  );
});
