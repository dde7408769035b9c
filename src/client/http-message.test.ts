import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MullionError } from '../contract/error-table.ts';
import { ByteReader, readBody, readHead } from './http-message.ts';

async function* inPieces(text: string, cuts: readonly number[]): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text, 'latin1');
  let begin = 0;
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    if (cut > begin && cut <= bytes.length) yield bytes.subarray(begin, cut);
    begin = Math.max(begin, Math.min(cut, bytes.length));
  }
}

async function parse(text: string, cuts: readonly number[] = []): Promise<{ status: number; body: string }> {
  const reader = new ByteReader(inPieces(text, cuts));
  const head = await readHead(reader);
  let body = '';
  for await (const piece of readBody(reader, head)) body += piece.toString('latin1');
  return { status: head.status, body };
}
const failsWith =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof MullionError && error.code === code;

describe('an answer of the daemon', () => {
  test('is read the same however its bytes are cut', async () => {
    const content = fc.array(fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 40 }), {
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(content, fc.array(fc.nat(400)), fc.boolean(), async (parts, cuts, chunked) => {
        const whole = parts.join('');
        const message = chunked
          ? `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`
          : `HTTP/1.1 200 OK\r\nContent-Length: ${whole.length}\r\n\r\n${whole}`;
        assert.deepEqual(await parse(message, cuts), { status: 200, body: whole });
      }),
      { numRuns: 300 },
    );
  });

  test('without a length goes on to the end of the connection', async () => {
    assert.deepEqual(await parse('HTTP/1.1 200 OK\r\n\r\nall of it'), { status: 200, body: 'all of it' });
  });

  test('of status 204 has no body', async () => {
    assert.deepEqual(await parse('HTTP/1.1 204 No Content\r\n\r\n'), { status: 204, body: '' });
  });

  test('that breaks off says that the daemon went away', async () => {
    for (const text of [
      '',
      'HTTP/1.1 200 OK\r\nContent-',
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc',
    ]) {
      await assert.rejects(parse(text), failsWith('daemon_unreachable'), JSON.stringify(text));
    }
  });

  test('that is no HTTP is refused, and so is one that never ends its head', async () => {
    for (const text of [
      'SSH-2.0-OpenSSH\r\n\r\n',
      `HTTP/1.1 200 OK\r\n${'x'.repeat(100_000)}`,
      'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n',
    ]) {
      await assert.rejects(parse(text), failsWith('internal'), text.slice(0, 60));
    }
  });
});
