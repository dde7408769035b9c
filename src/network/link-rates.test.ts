import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderBucket, renderDetour } from './link-rates.ts';

test('a bucket holds a few frames at the least, and else what a slow clock hands over at once', () => {
  assert.match(renderBucket('l', 64_000).at(-1) ?? '', / rate 64000bit burst 24224 limit 48448$/);
  assert.match(renderBucket('l', 1e9).at(-1) ?? '', / rate 1000000000bit burst 2500000 limit 15000000$/);
});

test('what a guest sends is led through the bucket of another device', () => {
  const [queue, bucket, ingress, filter] = renderDetour('l', 's', 1e6);
  assert.equal(queue, 'qdisc replace dev s root pfifo');
  assert.match(bucket ?? '', /dev s root tbf rate 1000000bit/);
  assert.equal(ingress, 'qdisc replace dev l handle ffff: ingress');
  assert.match(filter ?? '', /^filter replace dev l parent ffff: .* redirect dev s$/);
});
