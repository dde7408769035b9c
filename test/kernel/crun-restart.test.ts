import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { cgroupRoot } from '../../src/core/naming.ts';
import type { Handle, ImageFiles } from '../../src/drivers/driver.ts';
import { mountsUnder } from '../../src/host/mounts.ts';
import { finish } from '../conformance/drivers.ts';
import { type CrunFixture, NO_BUSYBOX, openCrunFixture, smallImage } from '../support/crun-fixture.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';

const CHILD = fileURLToPath(new URL('../support/crun-child.ts', import.meta.url));

/** Processes of this machine whose command line names the folder. */
function processesNaming(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => {
      try {
        return readFileSync(join('/proc', pid, 'cmdline'), 'utf8').includes(folder);
      } catch {
        return false;
      }
    });
}

describe('a container whose daemon is killed', () => {
  let image: ImageFiles | undefined;
  let unfit: string | undefined;
  const images = scratchDirectory('crun-image');
  before(async () => {
    image = await smallImage(images.path);
    if (process.getuid?.() !== 0) unfit = 'needs root';
    else if (image === undefined) unfit = NO_BUSYBOX;
  });
  after(() => images[Symbol.dispose]());

  /** Starts a daemon in a new folder. */
  function daemon(t: TestContext, errand: 'launch' | 'probe' = 'launch') {
    if (image?.rootfs === undefined || unfit !== undefined) {
      t.skip(unfit ?? 'no image');
      return undefined;
    }
    const fixture: CrunFixture = openCrunFixture(image, 5_000);
    t.after(() => fixture.close());
    const child = spawn(process.execPath, [CHILD, fixture.scratch, image.rootfs, errand], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const kill = async (): Promise<void> => {
      child.kill('SIGKILL');
      await exited;
    };
    t.after(kill);
    return { fixture, kill, said: () => said };
  }

  async function assertNothingLeft(fixture: CrunFixture, machine: { id: string; cgroup: string }) {
    assert.deepEqual(await fixture.driver.leftovers(), []);
    await fixture.stopCounting();
    assert.deepEqual(mountsUnder(fixture.scratch), []);
    assert.deepEqual(fixture.cgroups.processes(machine.cgroup), []);
    assert.deepEqual(readdirSync(join(fixture.scratch, 'run/vps')), []);
    await eventually('no process is left', () => processesNaming(fixture.scratch).length === 0);
  }

  it('goes on running, and is found, typed to and removed by the next', async (t) => {
    const first = daemon(t);
    if (first === undefined) return;
    await eventually('it has started', () => first.said().includes('started'));
    await first.kill();
    const { fixture } = first;
    const { driver } = fixture;
    const machine = await fixture.machine();
    const handle: Handle = JSON.parse(/^prepared (.*)$/m.exec(first.said())?.[1] ?? '');
    assert.equal(await driver.recover(machine, handle), 'running');
    const session = await driver.exec?.exec(machine, handle, { argv: ['echo', 'here'], env: {}, tty: false });
    assert.ok(session !== undefined);
    assert.equal((await finish(session)).stdout, 'here\n');
    const shown = await driver.console?.openConsole(machine, handle);
    assert.ok(shown !== undefined);
    t.after(() => shown.destroy());
    let text = '';
    shown.on('data', (piece: Buffer) => {
      text += piece.toString();
    });
    shown.write('typed');
    await eventually('the terminal echoes', () => text.includes('typed'));
    shown.destroy();
    await driver.remove(machine, handle);
    await assertNothingLeft(fixture, machine);
  });

  for (const delay of [0, 5, 10, 20, 30, 45]) {
    it(`leaves nothing of a container to try the host when it dies ${delay} ms after that began`, async (t) => {
      const first = daemon(t, 'probe');
      if (first === undefined) return;
      const { fixture } = first;
      const trials = () =>
        readdirSync(join(fixture.scratch, 'state')).filter((name) => name.startsWith('probe-'));
      // Not by a timer of eventually's: what is tried is soon over.
      const deadline = performance.now() + 30_000;
      while (trials().length === 0 && performance.now() < deadline) await sleep(1);
      await sleep(delay);
      await first.kill();
      assert.deepEqual(await fixture.driver.leftovers(), []);
      assert.deepEqual(trials(), []);
      assert.deepEqual(mountsUnder(fixture.scratch), []);
      assert.deepEqual(fixture.cgroups.list(cgroupRoot(fixture.naming)), []);
      await eventually('no process is left', () => processesNaming(fixture.scratch).length === 0);
    });
  }

  it('is found prepared and can be started by the next', async (t) => {
    const first = daemon(t);
    if (first === undefined) return;
    await eventually('it is prepared', () => first.said().includes('prepared'));
    await first.kill();
    const { fixture } = first;
    const machine = await fixture.machine();
    const handle: Handle = JSON.parse(/^prepared (.*)$/m.exec(first.said())?.[1] ?? '');
    const condition = await fixture.driver.recover(machine, handle);
    assert.ok(condition === 'prepared' || condition === 'running', condition);
    await fixture.driver.start(machine, handle);
    assert.equal(await fixture.driver.recover(machine, handle), 'running');
    await fixture.driver.remove(machine, handle);
    await assertNothingLeft(fixture, machine);
  });

  for (const delay of [0, 4, 8, 12, 16, 20, 25, 30, 40, 60]) {
    it(`leaves nothing when it dies ${delay} ms after it began to prepare`, async (t) => {
      const first = daemon(t);
      if (first === undefined) return;
      await eventually('it has populated', () => first.said().includes('populated'));
      await sleep(delay);
      await first.kill();
      const { fixture } = first;
      const machine = await fixture.machine();
      await fixture.driver.remove(machine, undefined);
      await assertNothingLeft(fixture, machine);
      const { handle } = await fixture.driver.prepare(machine);
      await fixture.driver.start(machine, handle);
      assert.equal(await fixture.driver.recover(machine, handle), 'running');
      await fixture.driver.remove(machine, undefined);
      await assertNothingLeft(fixture, machine);
    });
  }
});
