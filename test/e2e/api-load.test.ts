import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { ApiWorld, type ApiWorldOptions } from '../support/api-world.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';
import { listenLocally } from '../support/tls.ts';

const MIB = 1024 ** 2;
const STREAMS = 1_000;
const STREAM = 'GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n';

/** A connection that has said `text` and keeps what it heard. */
class Talker implements Disposable {
  readonly socket: Socket;
  heard = '';
  ended = false;

  constructor(socket: Socket, text: string) {
    this.socket = socket;
    socket.on('data', (piece) => {
      this.heard += piece.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.ended = true;
    });
    socket.write(text);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

const talk = (api: ApiWorld, text: string): Talker => new Talker(connect(api.socketPath), text);

async function withTalkers(count: number, make: () => Talker, body: (talkers: Talker[]) => Promise<void>) {
  const talkers = Array.from({ length: count }, make);
  try {
    await body(talkers);
  } finally {
    for (const talker of talkers) talker[Symbol.dispose]();
  }
}

describe('clients that only hold on', () => {
  test('a thousand idle event streams cost little, hear what happens, and leave nothing behind', async () => {
    await using api = await ApiWorld.start();
    const before = process.memoryUsage().rss;
    await withTalkers(
      STREAMS,
      () => talk(api, STREAM),
      async (talkers) => {
        const allHeard = (text: string) => () => talkers.every(({ heard }) => heard.includes(text));
        await eventually('all streams are open', allHeard(': open'), 60_000);
        assert.equal((await api.client.call('server.info')).api, 'v1');
        await api.client.call('projects.create', { body: { name: 'shop' } });
        await eventually('all hear of it', allHeard('event: project.added'), 60_000);
        const each = (process.memoryUsage().rss - before) / STREAMS;
        assert.ok(
          each < 0.2 * MIB,
          `each stream took ${Math.round(each / 1024)} KiB, both ends in one process`,
        );
      },
    );
    // The places that they had are free again.
    await withTalkers(
      STREAMS,
      () => talk(api, STREAM),
      async (talkers) => {
        const isOpen = () => talkers.every(({ heard }) => heard.includes(': open'));
        await eventually('as many streams are open again', isOpen, 60_000);
      },
    );
  });

  const few = (limits: NonNullable<ApiWorldOptions['limits']>) => ApiWorld.start({ limits });

  test('one stream too many is told so, and one that ends makes room', async () => {
    await using api = await few({ openEnds: 3 });
    await withTalkers(
      3,
      () => talk(api, STREAM),
      async ([first, ...rest]) => {
        await eventually('they are open', () =>
          [first, ...rest].every((one) => one?.heard.includes(': open')),
        );
        const { status, text } = await api.raw({ method: 'GET', path: '/v1/events' });
        assert.equal(status, 429, text);
        assert.match(text, /too_many_requests/);
        first?.socket.destroy();
        await eventually('there is room', async () => {
          using next = talk(api, STREAM);
          await eventually('it is answered', () => next.heard.includes('\r\n\r\n'));
          return next.heard.startsWith('HTTP/1.1 200');
        });
      },
    );
  });

  test('a body that does not go on is given up, and others are served meanwhile', async () => {
    await using api = await few({ bodyMs: 300, idleMs: 300 });
    await api.client.call('vps.launch', { query: { wait: 5 }, body: { image: 'debian/12', name: 'web' } });
    const slow = [
      'POST /v1/vps HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{',
      'PUT /v1/vps/web/files?path=/root/x HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nx',
    ];
    using stream = talk(api, STREAM);
    for (const text of slow) {
      await withTalkers(
        50,
        () => talk(api, text),
        async (talkers) => {
          assert.equal((await api.client.call('vps.list')).length, 1);
          await eventually('all are ended', () => talkers.every(({ ended }) => ended), 30_000);
        },
      );
    }
    await api.client.call('projects.create', { body: { name: 'shop' } });
    await eventually('an older stream goes on', () => stream.heard.includes('event: project.added'));
  });

  test('one address has so many connections, and one that says nothing is ended', async (t) => {
    using scratch = scratchDirectory('tls');
    const listen = await listenLocally(scratch.path);
    if (listen === undefined) return t.skip('no port of the loopback can be listened on');
    await using api = await ApiWorld.start({ listen, limits: { connectionsOfAddress: 20 } });
    await withTalkers(
      30,
      () => new Talker(connect(listen.port, '127.0.0.1'), ''),
      async (talkers) => {
        await eventually('ten are refused', () => talkers.filter(({ ended }) => ended).length === 10);
        assert.equal(
          (await api.client.call('server.info')).api,
          'v1',
          'the Unix socket is not touched by it',
        );
        await eventually('all are ended', () => talkers.every(({ ended }) => ended), 40_000);
      },
    );
    const socket = connectTls({ port: listen.port, host: '127.0.0.1', rejectUnauthorized: false });
    using late = new Talker(socket, 'GET /v1 HTTP/1.1\r\nhost: x\r\n\r\n');
    await eventually('there is room again', () => late.heard.startsWith('HTTP/1.1 401'));
    return undefined;
  });
});
