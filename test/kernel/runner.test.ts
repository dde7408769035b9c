import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { MullionError } from '../../src/contract/errors.ts';
import type { ExecRequest } from '../../src/contract/streams.ts';
import { encodeFrame, encodeRequest } from '../../src/drivers/guest-agent/runner-frames.ts';
import { PERL, RUNNER } from '../../src/drivers/guest-agent/runner-script.ts';
import { DISMISSAL, RunnerSession, sweepOf } from '../../src/drivers/guest-agent/runner-session.ts';
import { spawnCommand } from '../../src/host/run.ts';
import { readAll } from '../conformance/drivers.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';

/** A serial line: a pseudo-terminal that a process of its own joins with our pipes. */
async function openLine(t: TestContext): Promise<{ line: Duplex; device: string }> {
  const scratch = scratchDirectory('relay');
  const device = join(scratch.path, 'line');
  const wire = spawnCommand(['socat', '-', `PTY,link=${device},raw,echo=0,ignoreeof`], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  t.after(() => {
    wire.kill('SIGKILL');
    scratch[Symbol.dispose]();
  });
  assert.ok(wire.stdout !== null && wire.stdin !== null);
  await eventually('the line is there', () => existsSync(device));
  const line = Duplex.from({ readable: wire.stdout, writable: wire.stdin });
  line.on('error', () => undefined);
  return { line, device };
}

const ROOM = { toGuest: 3500, piece: 3000, toHost: 1500 };

function open(line: Duplex, device: string, argv: readonly string[], more: Partial<ExecRequest> = {}) {
  const request = { argv: [...argv], env: {}, tty: false, ...more };
  return new RunnerSession(
    { guestPath: device, stream: line, room: ROOM, hangsUp: false, release: async () => undefined },
    randomBytes(16).toString('hex'),
    encodeRequest(request, { OWN: 'of the VPS' }),
    request.tty,
  );
}

function launch(
  t: TestContext,
  line: Duplex,
  device: string,
  argv: readonly string[],
  more: Partial<ExecRequest> = {},
) {
  const session = open(line, device, argv, more);
  const child = spawnCommand([PERL, '-e', RUNNER, '--', ...session.arguments], { stdio: ['ignore', 1, 2] });
  t.after(() => child.kill('SIGKILL'));
  return { session, child };
}

const told = async (session: RunnerSession): Promise<[string, string, number]> => {
  session.stdin.end();
  const errors = session.stderr === undefined ? Buffer.alloc(0) : readAll(session.stderr);
  const [out, err, code] = await Promise.all([readAll(session.stdout), errors, session.exit]);
  return [out.toString(), err.toString(), code];
};

test('one serial line carries a megabyte to a command and back, unchanged, and the end of input', async (t) => {
  const { line, device } = await openLine(t);
  line.write('left over by another\nq\0\0');
  line.write(sweepOf(ROOM));
  const { session, child } = launch(t, line, device, ['sh', '-c', 'cat; echo told >&2; exit 7']);
  await session.begun();
  const content = Buffer.alloc(1024 * 1024, Buffer.from([...Array(251).keys()]));
  session.stdin.end(content);
  assert.ok(session.stderr !== undefined);
  const [echoed, errors, code] = await Promise.all([
    readAll(session.stdout),
    readAll(session.stderr),
    session.exit,
  ]);
  assert.ok(echoed.equals(content));
  assert.deepEqual([errors.toString(), code], ['told\n', 7]);
  assert.equal(await session.released, true);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  line.write(DISMISSAL);
  assert.equal(await ended, 0);
});

test('one runner serves command after command, whatever became of the last', async (t) => {
  const { line, device } = await openLine(t);
  const { session: first, child } = launch(t, line, device, ['echo', 'one']);
  assert.deepEqual(await told(first), ['one\n', '', 0]);
  assert.equal(await first.released, true);
  for (const [argv, more, expected] of [
    [['cat', '/proc/self/stat'], { tty: true }, 0],
    [['sh', '-c', 'head -c 100000 /dev/zero; exit 3'], {}, 3],
    [['echo', 'nobody'], { user: 'nobody-here' }, 'not_found'],
    [['sleep', '100'], {}, 'closed'],
    [['echo', 'last'], {}, 0],
  ] as const) {
    const session = open(line, device, argv, more);
    session.callRunner();
    assert.equal(await session.greeted(5_000), true);
    if (expected === 'not_found') await assert.rejects(session.begun());
    else await session.begun();
    if (typeof expected === 'number') assert.equal((await told(session))[2], expected);
    else session.close();
    assert.equal(await session.released, true);
  }
  assert.equal(child.exitCode, null);
});

test('a runner that is not there is missed before it is told what to run', async (t) => {
  const { line, device } = await openLine(t);
  const session = open(line, device, ['echo', 'never']);
  session.callRunner();
  assert.equal(await session.greeted(300), false);
  session.close();
  assert.equal(await session.released, false);
});

test('a command gets its words, variables, folder, user and group, whatever is in them', async (t) => {
  const { line, device } = await openLine(t);
  const odd = '$(touch /tmp/x) `id` "\' \\n\n';
  const script =
    'printf "%s|" "$1" "$ODD" "$OWN" "$HOME" "$USER"; pwd; id -u; id -g; id -G; cut -d" " -f5,6 /proc/$$/stat';
  const first = launch(t, line, device, ['sh', '-c', script, 'sh', odd], {
    env: { ODD: odd },
    cwd: '/usr',
    user: 'nobody:5',
  });
  const [out] = await told(first.session);
  const [words = '', uid, gid, groups, session = ''] = out.slice(0, -1).split(/\n(?=\/usr$)|\n(?=\d)/m);
  assert.equal(words, `${odd}|${odd}|of the VPS|/|nobody|/usr`);
  assert.deepEqual([uid, gid, groups], ['65534', '5', '5']);
  const [group, leader] = session.split(' ');
  assert.equal(group, leader, 'it leads a session of its own');
});

test('what cannot be run is told as a shell tells it', async (t) => {
  const { line, device } = await openLine(t);
  for (const [argv, more, code] of [
    [['no-such-program'], {}, 127],
    [['/etc/passwd'], {}, 126],
    [['true'], { cwd: '/nothing' }, 126],
    [['sh', '-c', 'kill -9 $$'], {}, 137],
  ] as const) {
    const { session, child } = launch(t, line, device, argv, more);
    assert.equal((await told(session))[2], code, argv.join(' '));
    await session.released;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    line.write(DISMISSAL);
    // Two runners on one line would take each other's words.
    await gone;
  }
  const { session } = launch(t, line, device, ['true'], { user: 'nobody-here' });
  await assert.rejects(
    session.begun(),
    (error) => error instanceof MullionError && error.code === 'not_found',
  );
  session.close();
  await session.released;
});

test('a terminal has its size, hears signals, and ends with its input', async (t) => {
  const { line, device } = await openLine(t);
  const window = { rows: 31, columns: 91 };
  const script = 'trap "stty size" WINCH; tty; stty size; echo ready; cat; echo over';
  const { session } = launch(t, line, device, ['sh', '-c', script], { tty: true, window });
  let shown = '';
  session.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
  });
  await eventually('it is ready', () => shown.includes('ready'));
  assert.match(shown, /^\/dev\/pts\/\d+\r\n31 91\r\n/);
  session.resize({ rows: 10, columns: 20 });
  session.stdin.end('typed\n');
  assert.equal(await session.exit, 0);
  assert.match(shown, /typed\r\ntyped\r\n/);
  assert.match(shown, /10 20\r\nover|over\r\n10 20|10 20/);
});

/** What its command prints first. */
async function pidTold({ stdout }: RunnerSession): Promise<string> {
  let pid = '';
  stdout.on('data', (chunk: Buffer) => {
    pid += chunk.toString();
  });
  await eventually('it has told its pid', () => pid.endsWith('\n'));
  return pid.trim();
}

test('a signal reaches the command and all that it started', async (t) => {
  const { line, device } = await openLine(t);
  const { session } = launch(t, line, device, ['sh', '-c', 'sleep 100 & echo $!; wait']);
  const pid = await pidTold(session);
  session.signal('SIGTERM');
  assert.equal(await session.exit, 143);
  await eventually('its child is gone', () => !existsSync(`/proc/${pid}/exe`));
});

test('a command that is closed is killed, with what it started', async (t) => {
  const { line, device } = await openLine(t);
  const { session } = launch(t, line, device, ['sh', '-c', 'sleep 100 & echo $!; wait']);
  const pid = await pidTold(session);
  session.close();
  assert.equal(await session.released, true);
  await eventually('its child is gone', () => !existsSync(`/proc/${pid}/exe`));
});

test('what stays behind in the background does not hold its end up for long', async (t) => {
  const { line, device } = await openLine(t);
  const { session } = launch(t, line, device, ['sh', '-c', 'sleep 100 & echo $!']);
  const [out, , code] = await told(session);
  assert.equal(code, 0);
  process.kill(Number(out));
});

test('a command whose output nobody reads waits, and the line holds no more than its window', async (t) => {
  const { line, device } = await openLine(t);
  const { session } = launch(t, line, device, ['head', '-c', '300000', '/dev/zero']);
  await eventually('some output came', () => session.stdout.readableLength > 0);
  const seen = session.stdout.readableLength;
  assert.ok(seen <= session.stdout.readableHighWaterMark + ROOM.toHost, `${seen} bytes wait`);
  assert.equal((await readAll(session.stdout)).length, 300_000);
  assert.equal(await session.exit, 0);
});

test('a guest that sends more than it may is cut off', async (t) => {
  const { line, device } = await openLine(t);
  const { session } = launch(t, line, device, ['cat']);
  await session.begun();
  const flood = encodeFrame('1', Buffer.alloc(1000));
  for (let sent = 0; sent < 100 && !line.destroyed; sent += 1) line.emit('data', flood);
  assert.ok(line.destroyed);
  assert.ok(session.stdout.readableLength <= session.stdout.readableHighWaterMark + ROOM.toHost);
  await assert.rejects(session.exit);
});

test('a line that is cut ends every stream, and the guest that makes no sense is cut off', async (t) => {
  const cut = await openLine(t);
  const first = launch(t, cut.line, cut.device, ['cat']).session;
  await first.begun();
  const reading = Promise.allSettled([readAll(first.stdout), first.exit]);
  cut.line.destroy();
  const [, exit] = await reading;
  assert.equal(exit?.status, 'rejected');
  const { line, device } = await openLine(t);
  const { session } = launch(t, line, device, ['cat']);
  await session.begun();
  line.emit('data', Buffer.from('9\0\0'));
  await assert.rejects(session.exit);
});
