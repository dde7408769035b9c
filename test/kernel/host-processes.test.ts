import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isAlive, processStart, signalProcess, waitForExit, watchExit } from '../../src/host/processes.ts';
import { eventually } from '../support/scratch.ts';

async function sleeper(): Promise<{ child: ChildProcess; pid: number; start: number }> {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  return { child, pid, start: processStart(pid) ?? 0 };
}

test('a signal reaches the process that started then, and no other', async () => {
  const { child, pid, start } = await sleeper();
  const exited = once(child, 'exit');
  assert.equal(isAlive(pid, start), true);
  assert.equal(isAlive(pid, start + 1), false);
  assert.equal(signalProcess(pid, start + 1, 'SIGKILL'), false);
  assert.equal(isAlive(pid, start), true);
  assert.equal(signalProcess(pid, start, 37), true, 'SIGRTMIN+3 ends it, as nothing handles it');
  await exited;
  assert.equal(isAlive(pid, start), false);
  assert.equal(processStart(pid), undefined);
  assert.equal(signalProcess(pid, start, 'SIGKILL'), false);
});

test('a zombie is not alive and takes no signal', async () => {
  const child = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    const [text] = await once(child.stdout, 'data');
    const pid = Number(String(text));
    await eventually('its parent has become a sleep, which reaps nothing', () =>
      readFileSync(`/proc/${child.pid}/comm`, 'utf8').startsWith('sleep'),
    );
    process.kill(pid, 'SIGKILL');
    await eventually('it is a zombie', () => /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')));
    const start = processStart(pid) ?? 0;
    assert.ok(start > 0);
    assert.equal(isAlive(pid, start), false);
    assert.equal(signalProcess(pid, start, 0), false);
  } finally {
    child.kill('SIGKILL');
  }
});

test('the listener is called once when the process ends, and at once when it had ended', async () => {
  const { child, pid, start } = await sleeper();
  let calls = 0;
  watchExit(pid, start, () => {
    calls += 1;
  });
  const dropped = watchExit(pid, start, () => assert.fail('it was no longer listening'));
  dropped();
  dropped();
  child.kill('SIGKILL');
  await eventually('the listener is called', () => calls === 1, 1000);
  await new Promise<void>((resolve) => watchExit(pid, start, resolve));
  assert.equal(calls, 1);
});

test('watching a thousand processes takes one descriptor each and gives them back', async () => {
  const open = (): number => readdirSync('/proc/self/fd').length;
  const { child, pid, start } = await sleeper();
  const before = open();
  let ended = 0;
  for (let index = 0; index < 1000; index += 1) {
    watchExit(pid, start, () => {
      ended += 1;
    });
  }
  assert.equal(open(), before + 1000);
  child.kill('SIGKILL');
  await eventually('all listeners are called', () => ended === 1000, 2000);
  assert.ok(open() <= before, `${open()} descriptors are open, ${before} were`);
});

test('waitForExit tells an end from a time-out', async () => {
  const { child, pid, start } = await sleeper();
  assert.equal(await waitForExit(pid, start, 30), false);
  setTimeout(() => child.kill('SIGKILL'), 20);
  assert.equal(await waitForExit(pid, start, 5000), true);
});

test('watching keeps no Node process alive', () => {
  const module = new URL('../../src/host/processes.ts', import.meta.url).href;
  const script = `import { watchExit, processStart } from '${module}';
    watchExit(${process.pid}, ${processStart(process.pid)}, () => undefined);`;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  assert.equal(result.status, 0, result.stderr);
});
