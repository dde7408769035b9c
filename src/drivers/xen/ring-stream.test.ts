import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RingGuest } from '../../../test/support/ring-guest.ts';
import { ConsoleRing } from './console-ring.ts';
import { RingStream } from './ring-stream.ts';

interface Opened {
  readonly guest: RingGuest;
  readonly stream: RingStream;
  readonly calls: { notified: number; released: number };
}

function opened(): Opened {
  const guest = new RingGuest();
  const calls = { notified: 0, released: 0 };
  const stream = new RingStream(
    new ConsoleRing(guest.page),
    () => {
      calls.notified += 1;
    },
    () => {
      calls.released += 1;
    },
  );
  return { guest, stream, calls };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what comes while a reader answers waits until it has read what it has', async () => {
  const { guest, stream } = opened();
  const log: string[] = [];
  stream.on('data', (chunk: Buffer) => {
    log.push(`begins ${chunk}`);
    if (chunk.equals(Buffer.from('first'))) {
      guest.write(Buffer.from('second'));
      stream.write('answer');
    }
    log.push(`ends ${chunk}`);
  });
  await settled();
  guest.write(Buffer.from('first'));
  stream.exchange();
  assert.deepEqual(log, ['begins first', 'ends first', 'begins second', 'ends second']);
  assert.equal(guest.read().toString(), 'answer');
});

test('more than a ring holds goes to the guest as it reads, in order', async () => {
  const { guest, stream, calls } = opened();
  const sent = Buffer.from(Array.from({ length: 5000 }, (_, at) => at % 251));
  let isDone = false;
  for (let at = 0; at < sent.length; at += 700) stream.write(sent.subarray(at, at + 700));
  stream.end(() => {
    isDone = true;
  });
  const heard: Buffer[] = [];
  for (let turn = 0; turn < 50 && !isDone; turn += 1) {
    heard.push(guest.read());
    stream.exchange();
    await settled();
  }
  heard.push(guest.read());
  assert.ok(isDone && Buffer.concat(heard).equals(sent));
  assert.ok(calls.notified >= 5);
});

test('a reader that goes leaves the rings alone, and they are released once', async () => {
  const { guest, stream, calls } = opened();
  stream.on('data', () => {
    guest.write(Buffer.from('more'));
    stream.destroy();
    stream.exchange();
  });
  await settled();
  guest.write(Buffer.from('one'));
  const before = Buffer.from(guest.page);
  stream.exchange();
  guest.write(Buffer.from('late'));
  stream.exchange();
  assert.equal(calls.released, 1);
  assert.equal(guest.page.readUInt32LE(3080), before.readUInt32LE(3084), 'nothing is taken after that');
});

test('a guest that breaks its rings, or sends without end, is cut off with the reason', async () => {
  const broken = opened();
  const failure = new Promise<Error>((resolve) => broken.stream.once('error', resolve));
  broken.guest.page.writeUInt32LE(5000, 3084);
  broken.stream.exchange();
  assert.match((await failure).message, /broke its channel/);
  const flooding = opened();
  const reason = new Promise<Error>((resolve) => flooding.stream.once('error', resolve));
  for (let turn = 0; turn < 2049 && !flooding.stream.destroyed; turn += 1) {
    flooding.guest.write(Buffer.alloc(2048));
    flooding.stream.exchange();
  }
  assert.match((await reason).message, /more than was asked for/);
  assert.equal(flooding.calls.released, 1);
});
