import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { createClient } from '../../src/client/client.ts';
import { createNodeTransport } from '../../src/client/node-transport.ts';
import { startStreamSession } from '../../src/client/stream-session.ts';
import { MullionError } from '../../src/contract/error-table.ts';
import { ErrorResponseSchema } from '../../src/contract/errors.ts';
import { ExecRequestSchema } from '../../src/contract/streams.ts';
import { VpsInfoSchema, VpsSchema } from '../../src/contract/vps.ts';
import { ApiWorld, type RawRequest } from '../support/api-world.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';
import { listenLocally } from '../support/tls.ts';

const MIB = 1024 ** 2;
const json = { 'content-type': 'application/json' };
const refusedWith =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof MullionError && error.code === code;
const launch = (api: ApiWorld, name = 'web') =>
  api.client.call('vps.launch', { query: { wait: 5 }, body: { image: 'debian/12', name } });

/** Sends bytes as they stand; what came back until the server ended the connection or the time was over. */
function bare(socketPath: string, text: string, waitMs: number): Promise<{ answer: string; ended: boolean }> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    let answer = '';
    const timer = setTimeout(() => {
      socket.destroy();
      resolve({ answer, ended: false });
    }, waitMs);
    socket.on('data', (piece) => {
      answer += piece.toString();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve({ answer, ended: true });
    });
    socket.write(text);
  });
}

describe('a wrong request', () => {
  const cases: readonly { why: string; request: RawRequest; status: number; code: string }[] = [
    {
      why: 'that is not JSON',
      request: { method: 'POST', path: '/v1/vps', headers: json, body: '{no' },
      status: 400,
      code: 'invalid_request',
    },
    {
      why: 'with an unknown key',
      request: { method: 'POST', path: '/v1/vps', headers: json, body: '{"image":"debian/12","colour":1}' },
      status: 400,
      code: 'invalid_request',
    },
    {
      why: 'that would change the prototype of objects',
      request: {
        method: 'POST',
        path: '/v1/vps',
        headers: json,
        body: '{"__proto__":{"image":"debian/12"}}',
      },
      status: 400,
      code: 'invalid_request',
    },
    {
      why: 'of another type',
      request: { method: 'POST', path: '/v1/vps', headers: { 'content-type': 'text/xml' }, body: '<vps/>' },
      status: 415,
      code: 'unsupported_media_type',
    },
    {
      why: 'with a control character in a name',
      request: {
        method: 'POST',
        path: '/v1/vps',
        headers: json,
        body: '{"image":"debian/12","name":"a\\u0007"}',
      },
      status: 400,
      code: 'invalid_request',
    },
    {
      why: 'with a path trick in a name',
      request: { method: 'GET', path: '/v1/vps/..%2f..%2fetc' },
      status: 400,
      code: 'invalid_request',
    },
    {
      why: 'with a path that climbs',
      request: { method: 'GET', path: '/v1/vps/web/files?path=%2Froot%2F..%2Fetc%2Fshadow' },
      status: 400,
      code: 'invalid_request',
    },
    {
      why: 'with NUL in a path',
      request: { method: 'GET', path: '/v1/vps/web/files?path=%2Fetc%00' },
      status: 400,
      code: 'invalid_request',
    },
    {
      why: 'with an unknown part of the query',
      request: { method: 'GET', path: '/v1/vps?colour=red' },
      status: 400,
      code: 'invalid_request',
    },
    {
      why: 'to a WebSocket without an upgrade',
      request: { method: 'GET', path: '/v1/vps/web/exec' },
      status: 400,
      code: 'invalid_request',
    },
    { why: 'to no route', request: { method: 'GET', path: '/v2' }, status: 404, code: 'unknown_route' },
    {
      why: 'with another method',
      request: { method: 'PUT', path: '/v1/vps' },
      status: 405,
      code: 'method_not_allowed',
    },
  ];

  test('gets its 4xx, and one error with its remedy', async (t) => {
    await using api = await ApiWorld.start();
    for (const { why, request, status, code } of cases) {
      await t.test(`${why}: ${status}`, async () => {
        const answer = await api.raw(request);
        assert.equal(answer.status, status, answer.text);
        const { error } = ErrorResponseSchema.parse(JSON.parse(answer.text));
        assert.equal(error.code, code);
        assert.notEqual(error.remedy, '');
      });
    }
    assert.deepEqual(await api.client.call('vps.list'), []);
  });

  test('that is too large is read to its end, so that its sender hears the 413', async () => {
    await using api = await ApiWorld.start();
    const body = `{"image":"${'x'.repeat(8 * MIB)}"}`;
    const answer = await api.raw({ method: 'POST', path: '/v1/vps', headers: json, body });
    assert.equal(answer.status, 413);
    assert.equal(ErrorResponseSchema.parse(JSON.parse(answer.text)).error.code, 'body_too_large');
  });

  test('that is no HTTP at all ends the connection and nothing else', async () => {
    await using api = await ApiWorld.start();
    const { ended, answer } = await bare(api.socketPath, '\x16\x03\x01\x00\xa5garbage\r\n\r\n', 5_000);
    assert.ok(ended);
    assert.match(answer, /^HTTP\/1\.1 400/);
    assert.equal((await api.client.call('server.info')).api, 'v1');
  });

  test('whose headers do not end is given up', async () => {
    await using api = await ApiWorld.start();
    const { ended } = await bare(api.socketPath, 'GET /v1 HTTP/1.1\r\nhost: x\r\nx-slow: ', 60_000);
    assert.ok(ended, 'the connection was still open after a minute');
  });
});

describe('an answer', () => {
  test('fits the schema of its route', async () => {
    await using api = await ApiWorld.start();
    await launch(api);
    VpsSchema.array().parse(await api.client.call('vps.list'));
    VpsInfoSchema.parse(await api.client.call('vps.info', { params: { name: 'web' } }));
  });

  test('to a name with a slash comes by percent-encoding', async () => {
    await using api = await ApiWorld.start();
    assert.equal((await api.client.call('images.info', { params: { name: 'debian/12' } })).name, 'debian/12');
  });

  test('waits for a task as long as was asked', async () => {
    await using api = await ApiWorld.start();
    const body = { image: 'debian/12', name: 'slow', env: { MULLION_FAKE_FAULT: 'slow:300' } };
    const begun = await api.client.call('vps.launch', { body });
    assert.equal(begun.state, 'running');
    const later = await api.client.call('tasks.info', { params: { id: begun.id }, query: { wait: 20 } });
    assert.equal(later.state, 'done');
  });
});

describe('who may ask', () => {
  const someone = { uid: 4242, gid: 4242, groups: [] };

  test('root may, and so may a member of the group', async () => {
    for (const peer of [
      { uid: 0, gid: 0, groups: [] },
      { uid: 4242, gid: 999, groups: [] },
      { uid: 4242, gid: 4242, groups: [7, 999] },
    ]) {
      await using api = await ApiWorld.start({ peer, group: 999 });
      assert.equal((await api.client.call('server.info')).api, 'v1');
    }
  });

  test('nobody else may, and a WebSocket is no way around', async () => {
    for (const group of [undefined, 999]) {
      await using api = await ApiWorld.start({ peer: someone, ...(group === undefined ? {} : { group }) });
      await assert.rejects(api.client.call('vps.list'), refusedWith('forbidden'));
      await assert.rejects(
        api.client.socket('vps.exec', { params: { name: 'web' } }),
        refusedWith('forbidden'),
      );
    }
  });

  test('the socket is open to its owner alone where there is no group, and never to others', async () => {
    await using alone = await ApiWorld.start();
    assert.equal(statSync(alone.socketPath).mode & 0o777, 0o600);
    await using shared = await ApiWorld.start({ group: process.getgid?.() ?? 0 });
    assert.equal(statSync(shared.socketPath).mode & 0o777, 0o660);
  });
});

describe('over TLS', () => {
  const TOKEN = 'an-example-of-a-token-that-is-long-enough';

  function tokenFile(folder: string): string {
    const path = join(folder, 'token');
    writeFileSync(path, `${TOKEN}\n`, { mode: 0o600 });
    return path;
  }

  test('a request needs the token, and so does a WebSocket', async (t) => {
    using scratch = scratchDirectory('tls');
    const place = await listenLocally(scratch.path);
    if (place === undefined) return t.skip('no port of the loopback can be listened on');
    const listen = { ...place, tokenFile: tokenFile(scratch.path) };
    const { port } = listen;
    await using api = await ApiWorld.start({ listen });
    await launch(api);
    const authority = readFileSync(listen.certificate, 'utf8');
    const withToken = (token: string | undefined) =>
      createClient(createNodeTransport({ url: `https://127.0.0.1:${port}`, authority, token }));

    assert.equal((await withToken(TOKEN).call('vps.list')).length, 1);
    for (const token of [undefined, 'wrong', `${TOKEN}x`, TOKEN.slice(0, -1)]) {
      const client = withToken(token);
      await assert.rejects(client.call('vps.list'), refusedWith('unauthenticated'));
      await assert.rejects(
        client.socket('vps.exec', { params: { name: 'web' } }),
        refusedWith('unauthenticated'),
      );
    }
    const socket = await withToken(TOKEN).socket('vps.exec', { params: { name: 'web' } });
    const session = startStreamSession(socket, () => true, ExecRequestSchema.parse({ argv: ['true'] }));
    assert.equal(await session.exit, 0);
    session.close();
    const stranger = createClient(createNodeTransport({ url: `https://127.0.0.1:${port}`, token: TOKEN }));
    await assert.rejects(stranger.call('vps.list'), refusedWith('daemon_unreachable'));
    return undefined;
  });

  test('a token that others can read, or that is short, is not used', async (t) => {
    using scratch = scratchDirectory('token');
    const place = await listenLocally(scratch.path);
    if (place === undefined) return t.skip('no port of the loopback can be listened on');
    const listen = { ...place, tokenFile: tokenFile(scratch.path) };
    chmodSync(listen.tokenFile, 0o644);
    await assert.rejects(
      ApiWorld.start({ listen }),
      (error: unknown) => error instanceof MullionError && /read by others/.test(error.message),
    );
    writeFileSync(listen.tokenFile, 'short');
    chmodSync(listen.tokenFile, 0o600);
    await assert.rejects(
      ApiWorld.start({ listen }),
      (error: unknown) => error instanceof MullionError && /shorter/.test(error.message),
    );
    return undefined;
  });
});

describe('a stream', () => {
  async function run(api: ApiWorld, argv: readonly string[], input: readonly Uint8Array[] = []) {
    const out: Uint8Array[] = [];
    const socket = await api.client.socket('vps.exec', { params: { name: 'web' } });
    const session = startStreamSession(
      socket,
      (_channel, data) => {
        out.push(Uint8Array.from(data));
        return true;
      },
      ExecRequestSchema.parse({ argv }),
    );
    for (const piece of input) await session.write(piece);
    await session.endInput();
    const code = await session.exit;
    session.close();
    return { code, out: Buffer.concat(out) };
  }

  test('of exec carries eight megabytes both ways unchanged', async () => {
    await using api = await ApiWorld.start();
    await launch(api);
    const pieces = Array.from({ length: 128 }, (_, index) => Buffer.alloc(64 * 1024, index));
    const { code, out } = await run(api, ['cat'], pieces);
    assert.equal(code, 0);
    assert.ok(out.equals(Buffer.concat(pieces)));
  });

  test('of exec whose client leaves ends the command', async () => {
    await using api = await ApiWorld.start();
    await launch(api);
    const processes = async () =>
      (await api.client.call('vps.info', { params: { name: 'web' } })).usage.processes ?? Number.NaN;
    const idle = await processes();
    const socket = await api.client.socket('vps.exec', { params: { name: 'web' } });
    const session = startStreamSession(
      socket,
      () => true,
      ExecRequestSchema.parse({ argv: ['sleep', '600'] }),
    );
    session.exit.catch(() => undefined);
    await session.write(Buffer.from('x'));
    session.close();
    await eventually('the command is gone', async () => (await processes()) <= idle, 10_000);
  });

  test('that begins wrongly ends with an error at once, and does not hold the client', async () => {
    await using api = await ApiWorld.start();
    await launch(api);
    const firsts = ['{no', '{"type":"resize","window":{"columns":1,"rows":1}}', Buffer.from([0, 1])];
    for (const first of [...firsts, '{"type":"exec","request":{"argv":[],"colour":1}}']) {
      const socket = await api.client.socket('vps.exec', { params: { name: 'web' } });
      const heard = new Promise<string>((resolve) => {
        let message = '';
        socket.listen({
          onMessage: (data) => {
            message = String(data);
          },
          onClose: () => resolve(message),
        });
      });
      await socket.send(first);
      const began = performance.now();
      assert.match(await heard, /"code":"invalid_request"/, String(first));
      assert.ok(performance.now() - began < 5_000);
    }
    const socket = await api.client.socket('vps.exec', { params: { name: 'ghost' } });
    const session = startStreamSession(socket, () => true, ExecRequestSchema.parse({ argv: ['true'] }));
    await assert.rejects(session.exit, refusedWith('not_found'));
    session.close();
  });

  test('of a file takes more than the limit of JSON bodies', async () => {
    await using api = await ApiWorld.start();
    await launch(api);
    const content = Buffer.alloc(5 * MIB, 7);
    const target = { params: { name: 'web' }, query: { path: '/root/large' } };
    await api.client.upload('files.push', target, Readable.from([content]));
    const pulled: Uint8Array[] = [];
    for await (const piece of await api.client.stream('files.pull', target)) pulled.push(piece);
    assert.ok(Buffer.concat(pulled).equals(content));
  });

  test('of events tells what happens, and what is remembered', async () => {
    await using api = await ApiWorld.start();
    const ending = new AbortController();
    const live = await api.client.events({ signal: ending.signal });
    const states: unknown[] = [];
    const reading = (async () => {
      for await (const event of live) if (event.type === 'task.done') states.push(event.target);
    })().catch(() => undefined);
    await launch(api);
    await eventually('the end of the launch was told', () => states.includes('web'));
    ending.abort();
    await reading;
    const again = new AbortController();
    for await (const event of await api.client.events({ query: { after: 0 }, signal: again.signal })) {
      assert.equal(event.id, 1);
      break;
    }
    again.abort();
  });

  test('that is open does not keep the server from closing', async () => {
    const api = await ApiWorld.start();
    await launch(api);
    const events = await api.client.events();
    const reading = (async () => {
      for await (const _event of events);
    })().catch(() => undefined);
    const socket = await api.client.socket('vps.console', { params: { name: 'web' } });
    socket.listen({ onMessage: () => undefined, onClose: () => undefined });
    const began = performance.now();
    await api[Symbol.asyncDispose]();
    assert.ok(performance.now() - began < 5_000, 'it took too long');
    await reading;
  });
});

/** A port of the loopback that was free a moment ago; undefined when there is no loopback. */
