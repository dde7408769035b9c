import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MullionError } from '../../contract/errors.ts';
import { parseListing } from './listing.ts';

const line = (...fields: string[]): string => fields.map((field) => `${field}\0`).join('');

test('a listing is sorted by name, with any name', () => {
  const text =
    line('z\n', 'f', '12', '644', '0', '5', '1700000000.25') +
    line("a '", 'd', '4096', '1777', '1', '2', '0');
  assert.deepEqual(parseListing(text), [
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

test('an empty folder has no entries', () => assert.deepEqual(parseListing(''), []));

test('a guest that lies about its files gets an error', () => {
  const lies = [
    'x',
    line('a', 'f'),
    line('a', 'f', '-1', '644', '0', '0', '0'),
    line('a', 'f', '1', '9', '0', '0', '0'),
  ];
  for (const lie of [...lies, line('a', 'f', '1', '644', '0', '0', 'never')]) {
    assert.throws(() => parseListing(lie), MullionError, JSON.stringify(lie));
  }
});
