import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROUTES, type Route } from './routes.ts';

test('a route that names no project says who may use it, or is about a task', () => {
  for (const [name, route] of Object.entries<Route>(ROUTES)) {
    const keys = Object.keys({ ...route.params?.shape, ...route.query?.shape });
    if (keys.includes('project') || route.access !== undefined) continue;
    assert.ok(name.startsWith('tasks.') || keys.includes('task'), name);
  }
});

test('whatever opens a socket into a guest, or shows what it shows, is a secret', () => {
  for (const [name, route] of Object.entries<Route>(ROUTES)) {
    if (route.transfer === 'socket') assert.equal(route.secret, true, name);
  }
  assert.equal(ROUTES['vps.screenshot'].secret, true);
});

test('what answers with bytes, or opens a way into a VPS, is no part of its mere state', () => {
  const open = Object.entries<Route>(ROUTES).filter(
    ([, { transfer, secret }]) => (transfer === 'bytes' || transfer === 'socket') && secret !== true,
  );
  assert.deepEqual(
    open.map(([name]) => name),
    [],
  );
});
