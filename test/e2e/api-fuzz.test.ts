import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import * as z from 'zod';
import { createApp } from '../../src/api/app.ts';
import { ErrorResponseSchema } from '../../src/contract/errors.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { ApiWorld, type RawRequest } from '../support/api-world.ts';
import { onlyWritesBelow } from '../support/confined.ts';
import { done, request, World } from '../support/engine-world.ts';
import { LONG_FORM } from '../support/long-form.ts';
import { eventually } from '../support/scratch.ts';
import { type Operation, operationsOf } from '../support/served-document.ts';

/** Requests of the whole run. */
const RUNS = LONG_FORM ? 100_000 : 4_000;
/** What the process may grow by once it has seen the first part of the requests. */
const GROWTH_BYTES = 64 * 1024 ** 2;
const WARM_UP = RUNS / 4;
/** What the served document offers. Waits and streams that never end say nothing about bad input. */
const offered = (document: string): Operation[] =>
  operationsOf(document).filter(({ status, answers }) => status !== 101 && answers !== 'text/event-stream');

const NASTY = [
  '',
  ' ',
  '.',
  '..',
  '../../etc/passwd',
  '..%2f..%2fetc',
  '%00',
  '%ff',
  'a\u0000b',
  'a\nb',
  '\u001b[2Jx',
  '\u202ex',
  'Web',
  '-web',
  'web-',
  'a'.repeat(64),
  'a'.repeat(5_000),
  '__proto__',
  'constructor',
  'toString',
  '💥',
  "'; drop table vps; --",
  '$(reboot)',
  '-1',
  '0',
  '1e309',
  'NaN',
  'null',
  'true',
];
const text = fc.oneof(
  fc.constantFrom(...NASTY),
  fc.constantFrom(
    'web',
    'default',
    'bank',
    'vault',
    'debian/12',
    'ghost',
    '/etc/hostname',
    '256M',
    '8080',
    'tcp',
  ),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
);
const value: fc.Arbitrary<unknown> = fc.oneof(
  text,
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Values of a field: what its schema allows, as JSON Schema says, among what it does not. */
function likely(schema: unknown): fc.Arbitrary<unknown> {
  const node = z
    .object({ enum: z.array(z.unknown()).optional(), type: z.unknown().optional() })
    .safeParse(schema).data;
  if (node?.enum !== undefined) return fc.oneof(fc.constantFrom(...node.enum), value);
  if (node?.type === 'boolean') return fc.oneof(fc.boolean(), value);
  if (node?.type === 'number' || node?.type === 'integer')
    return fc.oneof(fc.nat(70_000), fc.integer(), value);
  if (node?.type === 'array') return fc.oneof(fc.array(text, { maxLength: 4 }), value);
  if (node?.type === 'object') return fc.oneof(fc.dictionary(text, text, { maxKeys: 3 }), value);
  return value;
}

const fieldsOf = (nodes: Readonly<Record<string, unknown>>): Record<string, fc.Arbitrary<unknown>> =>
  Object.fromEntries(Object.entries(nodes).map(([name, node]) => [name, likely(node)]));

const someOf = (fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Record<string, unknown>> =>
  fc
    .tuple(
      fc.record(fields, { requiredKeys: [] }),
      fc.oneof(
        { weight: 6, arbitrary: fc.constant({}) },
        { weight: 1, arbitrary: fc.dictionary(text, value, { maxKeys: 2 }) },
      ),
    )
    .map(([known, unknown]) => ({ ...known, ...unknown }));

/** Requests of one route: right path and method mostly, everything in them as it comes. */
function requestsOf(operation: Operation): fc.Arbitrary<RawRequest & { readonly name: string }> {
  const { name, method, path, pathKeys: keys } = operation;
  const query = fc.oneof(
    { weight: 6, arbitrary: someOf(fieldsOf(operation.query)) },
    { weight: 1, arbitrary: fc.dictionary(text, text, { maxKeys: 1 }) },
  );
  const body: fc.Arbitrary<string | undefined> =
    typeof operation.body === 'object'
      ? fc.oneof(
          {
            weight: 6,
            arbitrary: someOf(fieldsOf(operation.body)).map((document) => JSON.stringify(document)),
          },
          { weight: 1, arbitrary: fc.jsonValue().map((document) => JSON.stringify(document)) },
          { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 100 }) },
        )
      : fc.option(fc.string({ maxLength: 200 }), { nil: undefined });
  const type = fc.constantFrom(
    'application/json',
    'application/json',
    'application/octet-stream',
    'text/plain',
    'x',
  );
  return fc
    .record({ values: fc.array(text, { minLength: keys.length, maxLength: keys.length }), query, body, type })
    .map(({ values, query: pairs, body: content, type: contentType }) => ({
      name,
      method,
      path: `${keys.reduce((whole, key, index) => whole.replace(`{${key}}`, encode(values[index] ?? '')), path)}${search(pairs)}`,
      headers: content === undefined ? {} : { 'content-type': contentType },
      ...(content === undefined ? {} : { body: content }),
    }));
}

/** A name that is already encoded stays so: a server sees both. */
const encode = (part: string): string =>
  /^[\x21-\x7e]*%[\x21-\x7e]*$/.test(part) ? part : encodeURIComponent(part.toWellFormed());
/** Waits are kept short, as a right one would hold the test for a minute. */
const search = (pairs: Record<string, unknown>): string => {
  const words = Object.entries(pairs)
    .filter(([key]) => key !== 'wait' && key !== 'follow')
    .map(
      ([key, item]) =>
        `${encode(key)}=${encode(typeof item === 'string' ? item : (JSON.stringify(item) ?? ''))}`,
    );
  return words.length === 0 ? '' : `?${words.join('&')}`;
};

/** What is left of the heap once everything that nobody holds has gone. */
function memoryInUse(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

if (onlyWritesBelow(import.meta.url)) {
  test('whatever is sent to any route, the answer is no 5xx, and every refusal says what to do', async () => {
    await using api = await ApiWorld.start();
    const operations = offered((await api.raw({ method: 'GET', path: '/v1/openapi.json' })).text);
    await api.client.call('vps.launch', { query: { wait: 5 }, body: { image: 'debian/12', name: 'web' } });
    const seen = new Map<string, Set<number>>();
    let sent = 0;
    let warm = Number.NaN;
    await fc.assert(
      fc.asyncProperty(fc.oneof(...operations.map(requestsOf)), async (request) => {
        const { status, text: answer } = await api.raw(request);
        sent += 1;
        if (sent === WARM_UP) warm = memoryInUse();
        seen.set(request.name, (seen.get(request.name) ?? new Set()).add(status));
        const label = `${request.method} ${request.path} ${request.body ?? ''} -> ${status} ${answer.slice(0, 300)}`;
        assert.ok(status < 500, label);
        if (status < 400) return;
        const { error } = ErrorResponseSchema.parse(JSON.parse(answer));
        assert.notEqual(error.code, 'internal', label);
        assert.ok(error.message.length > 0 && error.remedy.length > 0, label);
      }),
      { numRuns: RUNS },
    );
    const grown = memoryInUse() - warm;
    assert.ok(grown < GROWTH_BYTES, `${sent - WARM_UP} requests left ${Math.round(grown / 1024)} KiB`);
    assert.deepEqual(
      operations.map(({ name }) => name).filter((name) => !seen.has(name)),
      [],
      'every route was asked',
    );
    const refused = [...seen.values()].filter((statuses) =>
      [...statuses].some((status) => status >= 400),
    ).length;
    const served = [...seen.values()].filter((statuses) =>
      [...statuses].some((status) => status < 300),
    ).length;
    assert.ok(
      refused > 20 && served > 5,
      `the requests reach both ends: ${refused} refused, ${served} served`,
    );
    assert.equal((await api.client.call('server.info')).api, 'v1');
  });

  test('whatever a token of one project sends, it learns and changes nothing of another', async () => {
    using world = new World();
    const engine = await world.open();
    try {
      const identity = { who: 'token:shop', scope: 'project', project: 'default', local: false } as const;
      const { http } = createApp({
        engine,
        version: '0.0.0',
        logger: silentLogger,
        authenticate: () => identity,
        limits: { requests: { rate: 1e9, burst: 1e9 } },
      });
      await engine.projects.create({ name: 'bank', description: '' });
      await done(engine, engine.vps.launch('bank', request({ name: 'vault' })));
      await eventually('it is ready', async () => (await engine.vps.list('bank'))[0]?.health === 'ready');
      await engine.firewall.create('bank', { name: 'web', description: '' });
      const theirs = async () =>
        JSON.stringify([await engine.vps.list('bank'), await engine.firewall.list('bank')]);
      const before = await theirs();
      const { id, mac, addresses } = (await engine.vps.list('bank'))[0] ?? assert.fail();
      const secrets = [id, mac, ...addresses];
      const statuses = new Map<number, number>();
      const { payload: document } = await http.inject({ method: 'GET', url: '/v1/openapi.json' });
      // What is injected has no connection, whose times a file's route sets.
      const smallOnes = offered(document).filter(({ body }) => body !== 'bytes');
      await fc.assert(
        fc.asyncProperty(fc.oneof(...smallOnes.map(requestsOf)), async ({ method, path, headers, body }) => {
          const { statusCode, payload } = await http.inject({
            method: method as 'GET',
            url: path,
            ...(headers === undefined ? {} : { headers }),
            ...(body === undefined ? {} : { payload: Buffer.from(body) }),
          });
          statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
          const label = `${method} ${path} ${body ?? ''} -> ${statusCode} ${payload.slice(0, 300)}`;
          assert.ok(statusCode < 500, label);
          for (const secret of secrets) assert.ok(!payload.includes(secret), label);
        }),
        { numRuns: RUNS / 2 },
      );
      assert.equal(await theirs(), before);
      for (const status of [200, 403, 404])
        assert.ok((statuses.get(status) ?? 0) > 10, `${status} was answered`);
      await http.close();
    } finally {
      await engine.close();
    }
  });
}
