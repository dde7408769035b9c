import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withDifference } from './isolation-launches.ts';
import { measure, median, quantile } from './measure.ts';
import { renderReport } from './report.ts';

describe('the benchmark', () => {
  test('computes medians and quantiles by nearest rank', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
    assert.equal(quantile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 0.9), 9);
    assert.throws(() => median([]), RangeError);
  });

  test('runs each subject once a round in a turning order, and drops the first round', async () => {
    const order: string[] = [];
    const subject = (name: string) => ({ name, run: async (round: number) => order.push(name) && round });
    const [a] = await measure([subject('a'), subject('b')], 3);
    assert.equal(order.join(''), 'abbaabba');
    assert.deepEqual(a?.samples, [1, 2, 3]);
  });

  test('has a difference whose median is the difference of the medians', () => {
    const [, , difference] = withDifference([
      { name: 'with', unit: 'ms', samples: [60, 90, 70] },
      { name: 'without', unit: 'ms', samples: [50, 40, 80] },
    ]);
    assert.deepEqual(difference?.samples, [10, 40, 20]);
    assert.equal(median(difference.samples), 70 - 50);
  });

  test('says which aims were met, and which were not measured', () => {
    const page = renderReport(
      ['2 processors'],
      [
        {
          title: 'Launch',
          notes: [],
          measurements: [
            { name: 'mullion', unit: 'ms', samples: [60] },
            { name: 'crun', unit: 'ms', samples: [30] },
          ],
        },
      ],
      [
        { what: 'near crun', of: 'mullion', against: 'crun', atMost: 3 },
        { what: 'small', of: 'mullion', atMost: 100 },
        { what: 'nearer', of: 'mullion', against: 'crun', atMost: 1 },
        { what: 'podman', of: 'mullion', against: 'podman', atMost: 0.33 },
      ],
    );
    assert.match(page, /\| near crun \| 2\.00 \| at most 3\.00 \| yes \|/);
    assert.match(page, /\| small \| 60\.0 \| at most 100 \| yes \|/);
    assert.match(page, /\| nearer \| 2\.00 \| at most 1\.00 \| no \|/);
    assert.match(page, /\| podman \| not measured here/);
  });
});
