import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { programPath } from './programs.ts';
import { run } from './run.ts';
import { sealedProgram } from './sealed-program.ts';

test('a program runs from memory that holds what its file does', async () => {
  const path = sealedProgram('cat');
  assert.match(path, /^\/proc\/\d+\/fd\/\d+$/);
  assert.ok(readFileSync(path).equals(readFileSync(programPath('cat') ?? '')));
  assert.equal((await run([path], { stdin: 'from memory' })).stdout, 'from memory');
  assert.equal(sealedProgram('cat'), path);
});

test('nobody can write to a program in memory, not even root', () => {
  const path = sealedProgram('cat');
  assert.throws(() => {
    const fd = openSync(path, 'r+');
    try {
      writeSync(fd, 'x');
    } finally {
      closeSync(fd);
    }
  }, /EPERM|ETXTBSY/);
});

test('a program that is not installed keeps its name, which its failure then tells', () => {
  assert.equal(sealedProgram('no-such-program'), 'no-such-program');
});
