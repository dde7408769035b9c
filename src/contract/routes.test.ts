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
