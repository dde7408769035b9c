import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '../../src/client/client.ts';
import { startStreamSession } from '../../src/client/stream-session.ts';
import { ExecRequestSchema } from '../../src/contract/streams.ts';
import type { ApiWorld } from '../support/api-world.ts';
import { eventually } from '../support/scratch.ts';
import { GUESS, refused, secured } from '../support/secure-api.ts';

const MIB = 1024 ** 2;
const CHECK_MS = 50;
const limits = { tokenCheckMs: CHECK_MS };
const params = { name: 'web' };
const large = { params, query: { path: '/root/large' } };

/** Something of a client that is open; `over` settles when it has ended, whichever way. */
interface Open {
  readonly what: string;
  readonly over: Promise<unknown>;
}

async function* endless(): AsyncGenerator<Buffer> {
  for (;;) {
    yield Buffer.alloc(1024, 1);
    await pause(20);
  }
}

const drained = async (body: AsyncIterable<unknown>): Promise<void> => {
  for await (const _piece of body);
};
const settled = (work: Promise<unknown>): Promise<unknown> => work.catch((failure: unknown) => failure);

/** A VPS, a file of it that fills every buffer on the way, and an image that never ends. */
async function prepare(api: ApiWorld): Promise<void> {
  await api.client.call('vps.launch', { query: { wait: 5 }, body: { image: 'debian/12', name: 'web' } });
  await api.client.upload('files.push', large, Readable.from([Buffer.alloc(32 * MIB, 7)]));
  // One image is exported at one time.
  api.world.images.add('other', 'default');
  api.world.images.export = async () => ({
    size: undefined,
    content: Readable.from(endless()),
    ended: Promise.resolve(),
    [Symbol.asyncDispose]: async () => undefined,
  });
}

/** Opens one of each kind that lasts. */
async function openAll(client: Client, image = 'debian/12'): Promise<Open[]> {
  const opened: Open[] = [];
  const add = (what: string, over: Promise<unknown>): void => {
    opened.push({ what, over: settled(over) });
  };
  add('events', drained(await client.events()));
  add(
    'logs that are followed',
    drained(await client.stream('vps.logs', { params, query: { follow: 'true' } })),
  );
  const { id } = await client.call('images.export', { params: { name: image }, body: {} });
  add('a download of an image', drained(await client.stream('images.download', { params: { task: id } })));
  const file = (await client.stream('files.pull', large))[Symbol.asyncIterator]();
  await file.next();
  add(
    'a file that is read slowly',
    (async () => {
      while ((await file.next()).done !== true) await pause(CHECK_MS);
    })(),
  );
  add(
    'a file that is sent',
    client.upload('files.push', { params, query: { path: '/root/new' } }, endless()),
  );
  for (const argv of [['sleep', '600'], undefined]) {
    const socket = await client.socket(argv === undefined ? 'vps.console' : 'vps.exec', { params });
    const request = argv === undefined ? undefined : ExecRequestSchema.parse({ argv });
    const session = startStreamSession(socket, () => true, request);
    add(argv === undefined ? 'a console' : 'a command', session.exit);
    await session.started;
  }
  return opened;
}

const whatEnded = (all: readonly Open[]): (() => string[]) => {
  const ended: string[] = [];
  for (const { what, over } of all) void over.then(() => ended.push(what));
  return () => ended;
};

describe('what is open', () => {
  secured(
    'ends with the token that opened it, and nothing else does',
    async ({ api, token }) => {
      await prepare(api);
      const [mine, theirs] = [
        await openAll(await token({ name: 'mine', scope: 'admin' })),
        await openAll(await token({ name: 'theirs', scope: 'admin' }), 'other'),
      ];
      const [ended, endedOfOthers] = [whatEnded(mine), whatEnded(theirs)];
      await pause(4 * CHECK_MS);
      assert.deepEqual(ended(), []);
      await api.client.call('tokens.delete', { params: { name: 'mine' } });
      await eventually('all of it has ended', () => ended().length === mine.length).catch(() =>
        assert.deepEqual(ended().toSorted(), mine.map(({ what }) => what).toSorted()),
      );
      await pause(4 * CHECK_MS);
      assert.deepEqual(endedOfOthers(), []);
      await api.client.call('tokens.delete', { params: { name: 'theirs' } });
      await eventually('the others end too', () => endedOfOthers().length === theirs.length);
    },
    { limits },
  );

  secured(
    'goes on while guesses come from the same address',
    async ({ api, bearer, token }) => {
      await prepare(api);
      const all = await openAll(await token({ name: 'ops', scope: 'admin' }));
      const ended = whatEnded(all);
      const codes = new Set<string>();
      for (let number = 0; number < 80; number += 1)
        await assert.rejects(
          bearer(GUESS).call('vps.list'),
          ({ code }: { code: string }) => codes.add(code).size > 0,
        );
      assert.ok(codes.has('too_many_requests'));
      await pause(4 * CHECK_MS);
      assert.deepEqual(ended(), []);
      await api.client.call('tokens.delete', { params: { name: 'ops' } });
      await eventually('all of it has ended', () => ended().length === all.length);
    },
    { limits },
  );

  secured(
    'is counted, whatever kind it is, and the metrics are read all the same',
    async ({ api, token }) => {
      await prepare(api);
      const admin = await token({ name: 'ops', scope: 'admin' });
      const all = await openAll(admin);
      const ended = whatEnded(all);
      const more = [
        () => admin.events(),
        () => admin.stream('vps.logs', { params, query: { follow: 'true' } }),
        () => admin.stream('files.pull', large),
        () => admin.upload('files.push', { params, query: { path: '/root/more' } }, Readable.from(['x'])),
        () => admin.socket('vps.console', { params }),
      ];
      for (const open of more) await assert.rejects(open(), refused('too_many_requests'));
      await drained(await admin.stream('metrics.read'));
      await api.client.call('tokens.delete', { params: { name: 'ops' } });
      await eventually('all of it has ended', () => ended().length === all.length);
      const next = await token({ name: 'next', scope: 'admin' });
      await eventually('there is room again', () =>
        next.upload('files.push', { params, query: { path: '/root/more' } }, Readable.from(['x'])).then(
          () => true,
          () => false,
        ),
      );
    },
    { limits: { ...limits, openEnds: 7 } },
  );
});
