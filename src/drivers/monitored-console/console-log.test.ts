import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogDecoder, lastLines } from './console-log.ts';

const TIME = '2026-01-02T03:04:05.000000000+00:00';

test('whole and partial lines become what the console showed', () => {
  const log = Buffer.from(`${TIME} stdout F first\r\n${TIME} stdout P login: \n${TIME} stdout F \n`);
  assert.equal(new LogDecoder().push(log).toString(), 'first\r\nlogin: \n');
});

test('any bytes but the newline pass unchanged, wherever the log is cut', () => {
  const content = Buffer.from([...Array(256).keys()].filter((byte) => byte !== 10));
  const log = Buffer.concat([Buffer.from(`${TIME} stdout P `), content, Buffer.from('\n')]);
  for (const cut of [1, 20, TIME.length, TIME.length + 8, TIME.length + 10, log.length - 1]) {
    const decoder = new LogDecoder();
    const shown = Buffer.concat([decoder.push(log.subarray(0, cut)), decoder.push(log.subarray(cut))]);
    assert.ok(shown.equals(content), `cut at ${cut}`);
  }
});

test('a line of another format shows nothing', () => {
  assert.equal(new LogDecoder().push(Buffer.from('senseless\n\nx y\nx y z\n')).length, 0);
});

test('a line without end does not fill the memory', () => {
  const decoder = new LogDecoder();
  for (let piece = 0; piece < 100; piece += 1) decoder.push(Buffer.alloc(64 * 1024, 'x'));
  assert.equal(decoder.push(Buffer.from(`\n${TIME} stdout F after\n`)).toString(), 'after\n');
});

test('the last lines count one that has no newline yet', () => {
  const last = (text: string, count: number): string => lastLines(Buffer.from(text), count).toString();
  assert.equal(last('a\nb\nc\n', 2), 'b\nc\n');
  assert.equal(last('a\nb\nc', 2), 'b\nc');
  assert.equal(last('a\nb\n', 5), 'a\nb\n');
  assert.equal(last('a\nb\n', 0), '');
  assert.equal(last('', 3), '');
  assert.equal(last('\n\n\n', 2), '\n\n');
});
