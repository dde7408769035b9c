import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import * as z from 'zod';
import { ROUTES, type Route } from '../../src/contract/routes.ts';
import { ApiWorld } from '../support/api-world.ts';
import { operationsOf } from '../support/served-document.ts';

/** The fields without which a value is refused. */
const missingIn = (schema: z.ZodType | undefined): string[] =>
  (schema?.safeParse({}).error?.issues ?? [])
    .flatMap(({ path }) => (path.length === 1 ? [String(path[0])] : []))
    .toSorted();

const ENTRIES = Object.entries<Route>(ROUTES);

test('the served document is one of OpenAPI 3.1, with nothing referred to that is not there', async () => {
  await using api = await ApiWorld.start();
  const { text } = await api.raw({ method: 'GET', path: '/v1/openapi.json' });
  const document = z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors)?.slice(0, 2_000));
  assert.equal(document.openapi, '3.1.0');
  const without = { ...structuredClone(document), components: { schemas: {} } };
  assert.equal((await new Validator().validate(without)).valid, false, 'its references are looked at');
});

test('the served document names every route as it is, and no other', async () => {
  await using api = await ApiWorld.start();
  const { text } = await api.raw({ method: 'GET', path: '/v1/openapi.json' });
  const operations = operationsOf(text);
  assert.deepEqual(operations.map(({ name }) => name).toSorted(), ENTRIES.map(([name]) => name).toSorted());
  for (const operation of operations) {
    const [, route] = ENTRIES.find(([name]) => name === operation.name) ?? assert.fail();
    const where = operation.name;
    assert.equal(operation.method, route.method, where);
    assert.equal(operation.path.replaceAll(/\{(\w+)\}/g, ':$1'), route.path, where);
    assert.deepEqual(
      operation.pathKeys.toSorted(),
      [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, key]) => key).toSorted(),
      where,
    );
    assert.deepEqual(
      Object.keys(operation.query).toSorted(),
      Object.keys(route.query?.shape ?? {}).toSorted(),
      where,
    );
    assert.equal(operation.status, route.transfer === 'socket' ? 101 : route.status, where);
    assert.deepEqual(operation.requiredQuery.toSorted(), missingIn(route.query), where);
    if (route.body === undefined || route.body === 'bytes') assert.equal(operation.body, route.body, where);
    else {
      assert.ok(typeof operation.body === 'object', where);
      assert.deepEqual(operation.requiredBody.toSorted(), missingIn(route.body), where);
      assert.equal(operation.needsBody, !route.body.safeParse({}).success, where);
    }
  }
});
