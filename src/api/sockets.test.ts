import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import { describe, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { eventually, scratchDirectory } from '../../test/support/scratch.ts';
import { openNodeSocket } from '../client/node-socket.ts';
import { type StreamSession, startStreamSession } from '../client/stream-session.ts';
import { type ExecRequest, ExecRequestSchema } from '../contract/streams.ts';
import type { ExecSession } from '../engine/contract.ts';
import { serveExec } from './sockets.ts';

const MIB = 1024 ** 2;
const PIECE = Buffer.alloc(64 * 1024, 1);
/** What kernel and streams may hold on the way; far below what the other side offers. */
const HELD = 16 * MIB;
const OFFERED = 128 * MIB;

const session = (streams: Partial<ExecSession>): ExecSession => ({
  stdin: new PassThrough(),
  stdout: new PassThrough(),
  exit: new Promise(() => undefined),
  resize: () => undefined,
  signal: () => undefined,
  close: () => undefined,
  ...streams,
});

/** Serves one session on a socket of its own while `body` uses it. */
async function served(
  start: (request: ExecRequest, gone: AbortSignal) => Promise<ExecSession>,
  sink: (data: Uint8Array) => boolean,
  body: (client: StreamSession) => Promise<void>,
): Promise<void> {
  using scratch = scratchDirectory('sockets');
  const socketPath = join(scratch.path, 's');
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => void serveExec(socket, start));
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const socket = await openNodeSocket({ socketPath }, '/');
  const client = startStreamSession(
    socket,
    (_channel, data) => sink(data),
    ExecRequestSchema.parse({ argv: ['x'] }),
  );
  client.exit.catch(() => undefined);
  try {
    await body(client);
  } finally {
    client.close();
    for (const open of sockets.clients) open.terminate();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** Waits until a count stands still for a while, having moved. */
async function standstill(count: () => number): Promise<number> {
  let before = -1;
  await eventually(
    'nothing moves any more',
    async () => {
      const now = count();
      const still = now === before && now > 0;
      before = now;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return still;
    },
    20_000,
  );
  return count();
}

describe('a command over a WebSocket', () => {
  test('whose client stops reading is not read from either', async () => {
    let produced = 0;
    const stdout = new Readable({
      read() {
        produced += PIECE.length;
        this.push(produced > OFFERED ? null : PIECE);
      },
    });
    await served(
      async () => session({ stdout }),
      () => false,
      async () => {
        assert.ok((await standstill(() => produced)) < HELD, `${produced} bytes were taken from the guest`);
      },
    );
  });

  test('whose guest stops reading is not sent more, and goes on when it reads again', async () => {
    let taken = 0;
    let release: (() => void) | undefined;
    let open = false;
    const stdin = new Writable({
      write(chunk: Buffer, _encoding, done) {
        taken += chunk.length;
        if (open) done();
        else release = done;
      },
    });
    await served(
      async () => session({ stdin }),
      () => true,
      async (client) => {
        let sent = 0;
        const writing = (async () => {
          for (; sent < OFFERED / 4; sent += PIECE.length) await client.write(PIECE);
        })();
        assert.ok((await standstill(() => sent)) < HELD, `${sent} bytes were taken from the client`);
        open = true;
        release?.();
        await writing;
        await eventually('all of it has arrived', () => taken === sent, 20_000);
        assert.ok(stdin.listenerCount('close') < 5, 'listeners pile up');
      },
    );
  });

  test('that nobody waits for any more is closed', async () => {
    let closed = 0;
    const running = session({
      close: () => {
        closed += 1;
      },
    });
    await served(
      async () => running,
      () => true,
      async (client) => {
        await client.write(PIECE);
        client.close();
        await eventually('it was closed', () => closed > 0);
      },
    );
  });

  test('whose client leaves before it begins is not waited for', async () => {
    const asked = Promise.withResolvers<AbortSignal>();
    await served(
      (_request, gone) => {
        asked.resolve(gone);
        return new Promise(() => undefined);
      },
      () => true,
      async (client) => {
        const gone = await asked.promise;
        assert.ok(!gone.aborted);
        client.close();
        await eventually('it is told', () => gone.aborted);
      },
    );
  });

  test('that begins late gets all of its input, of which little was taken before', async () => {
    const stdin = new PassThrough();
    const late = Promise.withResolvers<void>();
    await served(
      async () => {
        await late.promise;
        return session({ stdin });
      },
      () => true,
      async (client) => {
        let sent = 0;
        const writing = (async () => {
          for (; sent < OFFERED / 4; sent += PIECE.length)
            await client.write(PIECE.map(() => (sent / PIECE.length) % 256));
          await client.endInput();
        })();
        assert.ok((await standstill(() => sent)) < HELD, `${sent} bytes were taken from the client`);
        late.resolve();
        let taken = 0;
        for await (const chunk of stdin as AsyncIterable<Buffer>) {
          for (let at = 0; at < chunk.length; at += 4096)
            assert.equal(chunk[at], Math.floor((taken + at) / PIECE.length) % 256);
          taken += chunk.length;
        }
        await writing;
        assert.equal(taken, OFFERED / 4);
      },
    );
  });
});
