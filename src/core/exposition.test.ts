import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counters } from './counters.ts';
import { renderExposition } from './exposition.ts';

test('families are written with help, type and escaped labels; empty ones are left out', () => {
  const text = renderExposition([
    {
      name: 'a_total',
      type: 'counter',
      help: 'what\nit is',
      samples: [
        { labels: {}, value: 1 },
        { labels: { x: 'a"b\\c\nd', y: '' }, value: 0.5 },
      ],
    },
    { name: 'b', type: 'gauge', help: 'none', samples: [] },
  ]);
  assert.equal(
    text,
    '# HELP a_total what\\nit is\n# TYPE a_total counter\na_total 1\na_total{x="a\\"b\\\\c\\nd",y=""} 0.5\n',
  );
});

test('counters count by their labels', () => {
  const counters = new Counters();
  counters.declare('a_total', 'of a');
  counters.add('a_total', { x: '1' });
  counters.add('a_total', { x: '1' });
  counters.add('a_total', { x: '2' }, 5);
  assert.deepEqual(counters.families(), [
    {
      name: 'a_total',
      type: 'counter',
      help: 'of a',
      samples: [
        { labels: { x: '1' }, value: 2 },
        { labels: { x: '2' }, value: 5 },
      ],
    },
  ]);
  assert.throws(() => counters.add('b_total', {}));
});
