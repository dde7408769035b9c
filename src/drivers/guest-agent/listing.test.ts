import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MullionError } from '../../contract/errors.ts';
import { parseListing } from './listing.ts';

const parse = (text: string) => parseListing(Buffer.from(text));

const line = (...fields: string[]): string => fields.map((field) => `${field}\0`).join('');

test('a listing is sorted by name, with any name', () => {
  const text =
    line('z\n', 'f', '12', '644', '0', '5', '1700000000.25') +
    line("a '", 'd', '4096', '1777', '1', '2', '0');
  assert.deepEqual(parse(text), [
    {
      name: "a '",
      type: 'directory',
      size: 4096,
      mode: 0o1777,
      uid: 1,
      gid: 2,
      modifiedAt: '1970-01-01T00:00:00.000Z',
    },
    {
      name: 'z\n',
      type: 'file',
      size: 12,
      mode: 0o644,
      uid: 0,
      gid: 5,
      modifiedAt: '2023-11-14T22:13:20.250Z',
    },
  ]);
});

test('an empty folder has no entries', () => assert.deepEqual(parse(''), []));

test('a guest that lies about its files gets an error', () => {
  const lies = [
    'x',
    line('a', 'f'),
    line('a', 'f', '-1', '644', '0', '0', '0'),
    line('a', 'f', '1', '9', '0', '0', '0'),
  ];
  for (const lie of [...lies, line('a', 'f', '1', '644', '0', '0', 'never')]) {
    assert.throws(() => parse(lie), MullionError, JSON.stringify(lie));
  }
});

test('a type that nobody knows is another one, whatever its name, and years have four digits', () => {
  for (const type of ['s', '__proto__', 'constructor', '']) {
    assert.equal(parse(line('a', type, '1', '644', '0', '0', '0'))[0]?.type, 'other', type);
  }
  for (const seconds of ['1e300', '-1e300', '999999999999', 'Infinity']) {
    const [entry] = parse(line('a', 'f', '1', '644', '0', '0', seconds));
    assert.match(entry?.modifiedAt ?? '', /^\d{4}-/, seconds);
  }
});

test('a list without end is refused before it is parsed', () => {
  const listing = Buffer.from(line('', '', '0', '0', '0', '0', '0').repeat(1_200_000));
  const began = performance.now();
  assert.throws(() => parseListing(listing), { code: 'command_failed' });
  assert.ok(performance.now() - began < 500);
});
