import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ControlStream } from './control-stream.ts';

const TOKEN = '0123456789abcdef0123456789abcdef';

/** What passes, and what was heard, when the stream comes in the given pieces. */
async function feed(pieces: readonly Buffer[]): Promise<{ data: Buffer; messages: string[] }> {
  const messages: string[] = [];
  const stream = new ControlStream(TOKEN, (words) => messages.push(words.join(' ')));
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  for (const piece of pieces) stream.write(piece);
  stream.end();
  await new Promise((resolve) => stream.once('end', resolve));
  return { data: Buffer.concat(parts), messages };
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

test('messages are taken out and data passes unchanged, wherever the stream is cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      async (before, after, places) => {
        const whole = Buffer.concat([before, Buffer.from(`${TOKEN} pid 42 /dev/pts/0\n`), after]);
        const { data, messages } = await feed(cut(whole, places));
        assert.deepEqual(messages, ['pid 42 /dev/pts/0']);
        assert.deepEqual(data, Buffer.concat([before, after]));
      },
    ),
  );
});

test('data that looks like the beginning of a message is passed on', async () => {
  for (const text of [TOKEN.slice(0, 10), TOKEN, `${TOKEN} without end`, `${TOKEN}x`]) {
    assert.equal((await feed([Buffer.from(text)])).data.toString(), text);
  }
});

test('a prompt is not held back', async () => {
  const stream = new ControlStream(TOKEN, () => undefined);
  const shown = new Promise((resolve) => stream.once('data', (part: Buffer) => resolve(part.toString())));
  stream.write('login: ');
  assert.equal(await shown, 'login: ');
});

test('a message without end is data, and is not collected for ever', async () => {
  const text = `${TOKEN} ${'x'.repeat(10_000)}`;
  const { data, messages } = await feed([Buffer.from(text)]);
  assert.equal(data.toString(), text);
  assert.deepEqual(messages, []);
});
