import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { keepApart } from './processor-plan.ts';

const NOBODY = new Map<string, readonly number[]>();
const plan = (
  busy: Readonly<Record<string, number>>,
  processors: readonly number[],
  kept: ReadonlyMap<string, readonly number[]> = NOBODY,
): Record<string, readonly number[]> =>
  Object.fromEntries(keepApart(new Map(Object.entries(busy)), processors, kept));

test('a busy machine is kept on as many processors as it has, away from the first', () => {
  assert.deepEqual(plan({ a: 1 }, [0, 1]), { a: [1] });
  assert.deepEqual(plan({ a: 1.5, b: 0.2 }, [0, 1, 2, 3]), { a: [2, 3], b: [1] });
});

test('nobody is kept where no processor would be left to the others', () => {
  assert.deepEqual(plan({ a: 2 }, [0, 1]), {});
  assert.deepEqual(plan({ a: 1, b: 1 }, [0, 1]), {});
  assert.deepEqual(plan({ a: 1 }, [5]), {});
  assert.deepEqual(plan({ a: 1 }, []), {});
});

test('who is kept already stays where it is, unless it needs more or has lost a processor', () => {
  assert.deepEqual(plan({ a: 1, b: 1 }, [0, 1, 2, 3], new Map([['a', [2]]])), { a: [2], b: [3] });
  assert.deepEqual(plan({ a: 2 }, [0, 1, 2, 3], new Map([['a', [2]]])), { a: [2, 3] });
  assert.deepEqual(plan({ a: 1 }, [0, 1, 2], new Map([['a', [3]]])), { a: [2] });
});

test('two never have a processor in common, and one is left, whatever was before', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd');
  const cpus = fc.double({ min: 0.05, max: 4, noNaN: true });
  const list = fc.uniqueArray(fc.integer({ min: 0, max: 15 }), { maxLength: 9 });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(id, cpus)),
      list,
      fc.array(fc.tuple(id, fc.uniqueArray(fc.integer({ min: 0, max: 15 }), { maxLength: 4 }))),
      (busy, processors, kept) => {
        const answer = keepApart(new Map(busy), processors, new Map(kept));
        const used = [...answer.values()].flat();
        assert.equal(new Set(used).size, used.length);
        assert.ok(used.every((processor) => processors.includes(processor)));
        assert.ok(used.length === 0 || used.length < processors.length);
        for (const [name, own] of answer)
          assert.equal(own.length, Math.ceil(Object.fromEntries(busy)[name] ?? 0));
        assert.ok(answer.size === 0 || answer.size === new Map(busy).size);
      },
    ),
  );
});
