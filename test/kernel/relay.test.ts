import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { RelayPort } from '../../src/drivers/guest-agent/relay-port.ts';
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
  return { line: Duplex.from({ readable: wire.stdout, writable: wire.stdin }), device };
}

function launch(t: TestContext, line: Duplex, device: string, script: string) {
  const relay = new RelayPort(line, device, randomBytes(16).toString('hex'), 3);
  const [input, output, errors] = relay.ports;
  assert.ok(input !== undefined && output !== undefined && errors !== undefined);
  const wrapped = `exec 7<"$0" 8>"$1" 9>"$2"; ${script}; echo end >&8; echo end >&9`;
  const paths = relay.ports.map(({ guestPath }) => guestPath);
  const child = spawnCommand([...relay.launcher, '/bin/sh', '-c', wrapped, ...paths], {
    stdio: ['ignore', 1, 2],
  });
  t.after(() => child.kill('SIGKILL'));
  return { relay, child, paths, input: input.stream, output: output.stream, errors: errors.stream };
}

async function readUntilEnd(stream: Duplex): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) {
    parts.push(part);
    if (Buffer.concat(parts.slice(-4)).toString('latin1').endsWith('end\n')) break;
  }
  return Buffer.concat(parts).subarray(0, -4);
}

test('one serial line carries a megabyte to a command and back, unchanged, and the end of input', async (t) => {
  const { line, device } = await openLine(t);
  line.write('left over by another\nq\0\0');
  const made = launch(t, line, device, 'cat <&7 >&8; echo told >&9');
  const content = Buffer.alloc(1024 * 1024, Buffer.from([...Array(251).keys()]));
  made.input.end(content);
  const [echoed, told] = await Promise.all([readUntilEnd(made.output), readUntilEnd(made.errors)]);
  assert.ok(echoed.equals(content));
  assert.equal(told.toString(), 'told\n');
  const ended = new Promise((resolve) => made.child.once('exit', resolve));
  await made.relay.release();
  assert.equal(await ended, 0);
  assert.ok(!made.paths.some((path) => existsSync(path)));
});

test('a command whose output nobody reads waits, and the line holds no more than its window', async (t) => {
  const { line, device } = await openLine(t);
  const made = launch(t, line, device, 'head -c 300000 /dev/zero >&8');
  await eventually('some output came', () => made.output.readableLength > 0);
  const seen = made.output.readableLength;
  assert.ok(seen <= made.output.readableHighWaterMark + 1500, `${seen} bytes wait`);
  assert.equal((await readUntilEnd(made.output)).length, 300_000);
  await made.relay.release();
});

test('a line that is cut ends every stream', async (t) => {
  const { line, device } = await openLine(t);
  const made = launch(t, line, device, 'cat <&7 >&8');
  const all = Promise.allSettled([readAll(made.output), readAll(made.errors)]);
  line.destroy();
  await all;
  assert.ok(made.output.destroyed && made.input.destroyed);
});
