import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { machineIn } from '../../../test/support/machines.ts';
import { scratchDirectory } from '../../../test/support/scratch.ts';
import { askKernel, decodeAnswer, encodeCommand } from './mconsole.ts';
import { machinePaths } from './paths.ts';

test('a command is 524 bytes: the mark, the version, the length, and the text', () => {
  const message = encodeCommand('version');
  assert.equal(message.length, 524);
  assert.deepEqual(
    [message.readUInt32LE(0), message.readUInt32LE(4), message.readInt32LE(8)],
    [0xcafebabe, 2, 7],
  );
  assert.equal(message.toString('latin1', 12, 20), 'version\0');
});

test('a command that is too long keeps its ending zero byte', () => {
  const message = encodeCommand('x'.repeat(1000));
  assert.equal(message.readInt32LE(8), 511);
  assert.equal(message.at(-1), 0);
});

function answer(refused: number, more: number, length: number, text: string): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt32LE(refused, 0);
  header.writeUInt32LE(more, 4);
  header.writeUInt32LE(length, 8);
  return Buffer.concat([header, Buffer.from(text)]);
}

test('an answer tells whether it is a refusal, whether more comes, and its text', () => {
  assert.deepEqual(decodeAnswer(answer(0, 0, 3, 'OK\0junk')), { refused: false, more: false, text: 'OK' });
  assert.deepEqual(decodeAnswer(answer(1, 1, 11, 'Not stopped')), {
    refused: true,
    more: true,
    text: 'Not stopped',
  });
});

test('an answer that lies about its length, or is none, does no harm', () => {
  assert.equal(decodeAnswer(answer(0, 0, 0xffff_ffff, 'short'))?.text, 'short');
  assert.equal(decodeAnswer(Buffer.from('tiny')), undefined);
  assert.equal(decodeAnswer(Buffer.alloc(0)), undefined);
});

/** Answers what it is asked again and again; each answer says that more will come. */
const ENDLESS = `socket(my $s, 1, 2, 0) or die; bind($s, pack('S', 1) . $ARGV[0]) or die $!; $| = 1; print "ready\n";
my $asker = recv($s, my $question, 65536, 0); my $answer = pack('L3', 0, 1, 0);
1 while defined send($s, $answer, 0, $asker)`;

test('a kernel that answers without end is given up, and holds nobody up meanwhile', async () => {
  using scratch = scratchDirectory('mconsole');
  const ids = { base: process.getuid?.() ?? 0, count: 1 };
  const image = { id: 'none' };
  const own = { id: 'um1', technique: 'kernel', ids, image, memory: 0, cgroup: 'none' } as const;
  const machine = machineIn(scratch.path, own, {});
  const { management } = machinePaths(machine);
  mkdirSync(dirname(management), { recursive: true });
  const kernel = spawn('perl', ['-e', ENDLESS, management], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(kernel.stdout, 'data');
    const began = performance.now();
    await assert.rejects(askKernel(machine, 'stop', 2_000), { code: 'guest_unresponsive' });
    assert.ok(performance.now() - began < 1_000);
  } finally {
    kernel.kill('SIGKILL');
  }
});
