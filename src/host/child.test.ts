import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { Child, type SpawnOptions } from './child.ts';
import { openPipe } from './pipe.ts';
import { parseProcessStat } from './processes.ts';

const PIPED = { stdio: ['pipe', 'pipe', 'pipe'] } as const;
const shell = (script: string, options: SpawnOptions = PIPED): Child =>
  new Child(['sh', '-c', script], options);
const closed = (child: Child): Promise<unknown[]> =>
  new Promise((resolve) => child.once('close', (...end) => resolve(end)));

async function told(script: string, options: SpawnOptions = PIPED): Promise<string> {
  const child = shell(script, options);
  assert.ok(child.stdout !== null);
  const [output] = await Promise.all([text(child.stdout), closed(child)]);
  return output.trim();
}

test('a child has its streams apart, and a megabyte goes through unchanged', async () => {
  const child = shell('cat; echo complaint >&2');
  const data = Buffer.alloc(1024 * 1024, 'abcdefg');
  child.stdin?.end(data);
  assert.ok(child.stdout !== null && child.stderr !== null);
  const [output, complaint, end] = await Promise.all([text(child.stdout), text(child.stderr), closed(child)]);
  assert.equal(output, data.toString());
  assert.equal(complaint, 'complaint\n');
  assert.deepEqual(end, [0, null]);
});

test('its exit code or signal is told, once, and there is no zombie', async () => {
  for (const [script, end] of [
    ['exit 0', [0, null]],
    ['exit 255', [255, null]],
    ['kill -KILL $$', [null, 'SIGKILL']],
    ['kill -TERM $$', [null, 'SIGTERM']],
  ] as const) {
    const child = shell(script);
    const exits: unknown[][] = [];
    child.on('exit', (...one) => exits.push(one));
    assert.deepEqual(await closed(child), end, script);
    assert.deepEqual(exits, [end]);
    assert.throws(() => readFileSync(`/proc/${child.pid}/stat`), /ENOENT/);
    assert.equal(child.kill(), false);
  }
});

test('a hundred at once all end, and leave no descriptor', async () => {
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  await closed(shell('true'));
  const before = descriptors();
  const ends = await Promise.all(
    Array.from({ length: 100 }, (_, index) => closed(shell(`echo ${index}; exit ${index}`))),
  );
  assert.deepEqual(
    ends.map(([code]) => code),
    Array.from({ length: 100 }, (_, index) => index),
  );
  assert.equal(descriptors(), before);
});

test('a program that is not there is an error with ENOENT, and so is a folder that is not', async () => {
  for (const start of [
    () => new Child(['no-such-program'], PIPED),
    () => new Child(['/no/such/program'], PIPED),
    () => shell('true', { ...PIPED, cwd: '/no/such/folder' }),
  ]) {
    const child = start();
    const end = closed(child);
    const [failure]: unknown[] = await once(child, 'error');
    assert.ok(failure instanceof Error && 'code' in failure);
    assert.equal(failure.code, 'ENOENT');
    assert.equal(child.pid, undefined);
    await end;
  }
});

test('descriptors come to their places, also those that stand in each other’s way', async () => {
  using pipes = new DisposableStack();
  const [one, two] = [pipes.use(openPipe()), pipes.use(openPipe())];
  const child = shell('echo three >&3; echo four >&4', {
    stdio: ['ignore', 'ignore', 'ignore', one.writeEnd, two.writeEnd],
  });
  assert.deepEqual(await closed(child), [0, null]);
  const piece = Buffer.alloc(16);
  assert.equal(piece.toString('utf8', 0, readSync(one.readEnd, piece)), 'three\n');
  assert.equal(piece.toString('utf8', 0, readSync(two.readEnd, piece)), 'four\n');
  // Standard output and error change places: each stands where the other has to go.
  const swapped = shell('echo out; echo err >&2', { stdio: ['ignore', 2, 1] });
  assert.deepEqual(await closed(swapped), [0, null]);
});

test('no other descriptor that this process opened reaches it', async (t) => {
  const file = openSync('/dev/zero', 'r');
  t.after(() => closeSync(file));
  using pipe = openPipe();
  const listed = await told('ls /proc/self/fd');
  for (const fd of [file, pipe.readEnd, pipe.writeEnd]) assert.ok(!listed.split('\n').includes(String(fd)));
});

test('its signals are as a program expects them: none ignored, none held back', async () => {
  const status = await told('grep -E "^Sig(Blk|Ign)" /proc/self/status');
  assert.match(status, /SigBlk:\t0+\nSigIgn:\t0+$/);
});

test('with a session of its own it leads it; without, it stays in this process’s', async () => {
  const session = (script: string): number => Number(script.split(' ')[3]);
  const stat = 'cut -d")" -f2 /proc/$$/stat; true';
  const detached = shell('echo $$; cut -d" " -f6 /proc/$$/stat', { ...PIPED, detached: true });
  assert.ok(detached.stdout !== null);
  const [pid, sid] = (await text(detached.stdout)).trim().split('\n');
  assert.equal(pid, sid);
  assert.ok(parseProcessStat(`1 (x) ${(await told(stat)).replace(/^ /, '')}`) !== undefined);
  const own = readFileSync('/proc/self/stat', 'utf8');
  assert.equal(session((await told(stat)).trim()), session(own.slice(own.lastIndexOf(')') + 2)));
});

test('output that nobody reads does not hold back its end, and its folder is the one asked for', async () => {
  const child = shell('head --bytes=4096 /dev/zero; pwd >&2', { ...PIPED, cwd: '/proc' });
  assert.ok(child.stderr !== null);
  const [folder, end] = await Promise.all([text(child.stderr), closed(child)]);
  assert.equal(folder, '/proc\n');
  assert.deepEqual(end, [0, null]);
});
