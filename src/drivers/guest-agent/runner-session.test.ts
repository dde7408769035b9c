import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MullionError } from '../../contract/errors.ts';
import { encodeCount, encodeFrame } from './runner-frames.ts';
import { RunnerSession } from './runner-session.ts';

const TOKEN = 'a'.repeat(32);
const KIB = 1024;
const ROOM = { toGuest: 256 * KIB, piece: 32 * KIB, toHost: 256 * KIB };
const ONE = encodeFrame('1', Buffer.from('x'));

/** The guest's end of a line: it says what the test wants. */
class Guest extends Duplex {
  readonly #reads: boolean;
  heard = 0;

  /** @param reads false: what it is sent waits for ever */
  constructor(reads: boolean) {
    super();
    this.#reads = reads;
    this.on('error', () => undefined);
  }
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.heard += chunk.length;
    if (this.#reads) done();
  }
  /** As it comes from a socket. */
  say(...pieces: (Buffer | string)[]): void {
    this.emit('data', Buffer.concat(pieces.map((piece) => Buffer.from(piece))));
  }
}

function sessionWith(guest: Guest): RunnerSession {
  const release = async (): Promise<void> => undefined;
  const line = { guestPath: '/dev/x', stream: guest, room: ROOM, hangsUp: true, release };
  return new RunnerSession(line, TOKEN, Buffer.from('request'), false);
}

function greeted(reads = true): { guest: Guest; session: RunnerSession } {
  const guest = new Guest(reads);
  const session = sessionWith(guest);
  guest.say(`\n${TOKEN}\n`);
  assert.ok(session.hasGreeted);
  return { guest, session };
}

const unresponsive = (error: unknown): boolean =>
  error instanceof MullionError && error.code === 'guest_unresponsive';

test('what no runner says ends the command and its line', async () => {
  const [begun, ended, code, over] = [...'pEez'].map((kind) => encodeFrame(kind, Buffer.from([1])));
  assert.ok(begun && ended && code && over);
  const senseless: Record<string, (Buffer | string)[]> = {
    'an unknown kind': ['9\0\0'],
    'a frame that is too long': ['1\xff\xff'],
    'a third output': [encodeFrame('E', Buffer.from([3]))],
    'no output': [encodeFrame('E')],
    'output without output': [encodeFrame('1')],
    'output after its end': [ended, ONE],
    'an end of output for the second time': [ended, ended],
    'a begin for the second time': [begun, begun],
    'an exit code for the second time': [code, code],
    'a goodbye for the second time': [over, over],
    'a count that is none': [encodeFrame('c', Buffer.alloc(3))],
    'a count of nothing': [encodeFrame('c', encodeCount(0))],
    'a count of more than it was sent': [encodeFrame('c', encodeCount(0xffff_ffff))],
  };
  for (const [what, words] of Object.entries(senseless)) {
    const { guest, session } = greeted();
    session.stdout.resume();
    guest.say(...words.map((word) => (typeof word === 'string' ? Buffer.from(word, 'latin1') : word)));
    assert.ok(guest.destroyed, what);
    const known = await session.exit.catch((failure: unknown) => failure);
    assert.ok(typeof known === 'number' || unresponsive(known), what);
  }
});

test('frames of one byte come together to their reader, and are acknowledged together', async () => {
  const { guest, session } = greeted();
  const pieces: number[] = [];
  session.stdout.on('data', (piece: Buffer) => pieces.push(piece.length));
  await new Promise((resolve) => setImmediate(resolve));
  const before = guest.heard;
  guest.say(Buffer.alloc(16_384 * ONE.length, ONE));
  assert.deepEqual(pieces, [16_384]);
  assert.equal(guest.heard - before, encodeFrame('a', encodeCount(0)).length);
});

test('a guest that floods and does not read costs its command, and bounded memory', async () => {
  const { guest, session } = greeted(false);
  session.stdout.resume();
  await new Promise((resolve) => setImmediate(resolve));
  let most = 0;
  for (let said = 0; said < 1_000_000 && !guest.destroyed; said += 1) {
    guest.say(ONE);
    most = Math.max(most, guest.writableLength);
  }
  assert.ok(guest.destroyed);
  assert.ok(most < ROOM.toGuest + 128 * KIB, `${most} bytes wait`);
  await assert.rejects(session.exit, unresponsive);
});

/** Memory in use, without what is to be collected. */
function memoryInUse(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test('small frames that nobody reads take the memory of their content', () => {
  const before = memoryInUse();
  const all = Array.from({ length: 10 }, () => {
    const { guest, session } = greeted();
    for (let said = 0; said < 80; said += 1) guest.say(Buffer.alloc(1_000 * ONE.length, ONE));
    return session;
  });
  const each = (memoryInUse() - before) / all.length;
  assert.ok(each < 512 * KIB, `${Math.round(each / KIB)} KiB`);
  assert.ok(all.every(({ stdout }) => stdout.readableLength >= 64 * KIB));
});

test('noise without a greeting ends, and another command’s token is noise', async () => {
  const guest = new Guest(true);
  const session = sessionWith(guest);
  guest.say(`\n${'b'.repeat(32)}\n`, encodeFrame('p'), encodeFrame('e', Buffer.from([0])));
  assert.equal(await session.greeted(1), false);
  const noise = Buffer.alloc(64 * KIB, 'x');
  for (let said = 0; said < 64 && !guest.destroyed; said += 1) guest.say(noise);
  assert.ok(guest.destroyed);
  await assert.rejects(session.exit, unresponsive);
});
