import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MullionError } from '../../contract/errors.ts';
import { resolveUser } from './users.ts';

const accounts = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:Web:/srv/web:/bin/sh\nbare:x:40:41\nodd:x:5:6:::',
  group: 'root:x:0:\nweb:x:34:\nadm:x:4:root,web\nbig:x:70000:web\n',
};
const COUNT = 65_536;

test('a name brings its group, its other groups and its home', () => {
  assert.deepEqual(resolveUser('web', accounts, COUNT), {
    name: 'web',
    uid: 33,
    gid: 34,
    groups: [4],
    home: '/srv/web',
  });
});

test('a number needs no entry, and one with an entry takes it', () => {
  assert.deepEqual(resolveUser('1234', accounts, COUNT), {
    name: '1234',
    uid: 1234,
    gid: 1234,
    groups: [],
    home: '/',
  });
  assert.equal(resolveUser('33', accounts, COUNT).home, '/srv/web');
});

test('a named group takes the place of all others', () => {
  const { gid, groups } = resolveUser('web:adm', accounts, COUNT);
  assert.deepEqual([gid, groups], [4, []]);
  assert.equal(resolveUser('web:77', accounts, COUNT).gid, 77);
});

test('a home that is no path is the root', () => {
  assert.equal(resolveUser('bare', accounts, COUNT).home, '/');
  assert.equal(resolveUser('odd', accounts, COUNT).home, '/');
});

test('ids beyond those of the VPS do not exist', () => {
  for (const user of ['65536', '4294967295', 'web:big', 'web:65536', 'nobody', 'web:nobody']) {
    assert.throws(
      () => resolveUser(user, accounts, COUNT),
      (error: unknown) => error instanceof MullionError && error.code === 'not_found',
      user,
    );
  }
});
