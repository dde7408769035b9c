import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MullionError } from '../contract/errors.ts';
import { type Identity, requireAccess, type Wish } from './access.ts';

const identity = (scope: Identity['scope'], local = false): Identity => ({
  who: 'x',
  scope,
  project: scope === 'project' ? 'shop' : null,
  local,
});
const wish = (changes: Partial<Wish> = {}): Wish => ({
  harmless: true,
  access: undefined,
  project: 'shop',
  ...changes,
});
const allowed = (who: Identity, what: Wish): boolean => {
  try {
    requireAccess(who, what);
    return true;
  } catch (error) {
    assert.ok(error instanceof MullionError && error.code === 'forbidden');
    return false;
  }
};

test('each scope reaches what it is for, and nothing else', () => {
  const wishes: readonly [string, Wish, string][] = [
    ['reading of its project', wish(), 'rpa'],
    ['changing its project', wish({ harmless: false }), 'pa'],
    ['reading of another project', wish({ project: 'bank' }), 'ra'],
    ['changing another project', wish({ project: 'bank', harmless: false }), 'a'],
    ['reading of no project in particular', wish({ project: undefined }), 'ra'],
    ['reading of the host', wish({ access: 'host', project: undefined }), 'ra'],
    ['changing the host', wish({ access: 'host', project: undefined, harmless: false }), 'a'],
    ['what everyone may read', wish({ access: 'anyone', project: undefined }), 'rpa'],
    ['tokens', wish({ access: 'admin', project: undefined }), 'a'],
    ['what needs the socket', wish({ access: 'local' }), ''],
  ];
  for (const [name, what, expected] of wishes) {
    const who = (['read-only', 'project', 'admin'] as const).filter((scope) =>
      allowed(identity(scope), what),
    );
    assert.equal(who.map((scope) => scope[0]).join(''), expected, name);
  }
  assert.ok(allowed(identity('admin', true), wish({ access: 'local' })));
});
