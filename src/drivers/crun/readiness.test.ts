import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import type { ExecSession } from '../driver.ts';
import { saysReady } from './readiness.ts';

function answering(stdout: Readable): { session: ExecSession; closed: () => boolean } {
  let closed = false;
  const session: ExecSession = {
    stdin: new PassThrough(),
    stdout,
    stderr: undefined,
    exit: new Promise(() => undefined),
    resize: () => undefined,
    signal: () => undefined,
    close: () => {
      closed = true;
      stdout.destroy();
    },
  };
  return { session, closed: () => closed };
}

test('a system is ready when it says so, and not otherwise', async () => {
  for (const [said, ready] of [
    ['running\n', true],
    ['degraded\n', true],
    ['starting\n', false],
    ['', false],
  ] as const) {
    const { session, closed } = answering(Readable.from(said === '' ? [] : [Buffer.from(said)]));
    assert.equal(await saysReady(session), ready, said);
    assert.ok(closed());
  }
});

test('a guest that talks without end instead is heard for a moment and closed', async () => {
  let given = 0;
  const endless = new Readable({
    read() {
      given += 1_000;
      this.push(Buffer.alloc(1_000, 'y\n'));
    },
  });
  const { session, closed } = answering(endless);
  assert.equal(await saysReady(session), false);
  assert.ok(closed());
  assert.ok(given < 200_000, `${given} bytes`);
});

test('a guest that never answers is closed', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { session, closed } = answering(new PassThrough());
  const asked = saysReady(session);
  t.mock.timers.tick(10_000);
  assert.equal(await asked, false);
  assert.ok(closed());
});
