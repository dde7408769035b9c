import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { createNaming, vpsCgroup } from '../../src/core/naming.ts';
import { detectCgroups, hierarchyRoots } from '../../src/host/cgroup-layout.ts';
import { runCommand } from '../support/command.ts';
import { leftBehind, takeInventory } from '../support/inventory.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { placeIn, sweep, sweepAbandoned } from '../support/sweep.ts';

const PARENT = '/var/tmp/mullion-harness';

async function must(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand(argv);
  assert.equal(code, 0, `${argv.join(' ')}: ${stderr}`);
  return stdout;
}

/** What a daemon and its VPSs hold, made by hand. */
async function occupy(folder: string): Promise<void> {
  const place = placeIn(folder);
  const pool = join(place.stateDirectory, 'pool');
  mkdirSync(pool, { recursive: true });
  const file = join(place.stateDirectory, 'pool.btrfs');
  await must('truncate', '--size', '128M', file);
  await must('mkfs.btrfs', '--quiet', file);
  await must('mount', '-o', 'loop', file, pool);
  await must('btrfs', 'subvolume', 'create', join(pool, 'volume'));
  const naming = createNaming(place.stateDirectory, place.runDirectory);
  const cgroup = join(hierarchyRoots(detectCgroups())[0] ?? '', vpsCgroup(naming, 'someone'));
  mkdirSync(cgroup, { recursive: true });
  const child = spawn('sleep', ['600'], { stdio: 'ignore', detached: true });
  child.unref();
  writeFileSync(join(cgroup, 'cgroup.procs'), String(child.pid));
  // A daemon says where it belongs by its environment alone.
  spawn('sleep', ['601'], {
    stdio: 'ignore',
    detached: true,
    env: { ...process.env, MULLION_STATE_DIR: place.stateDirectory },
  }).unref();
  await must('ip', 'link', 'add', 'mvtest-0', 'type', 'bridge');
  await must('nft', 'add', 'table', 'inet', 'mullion_test');
}

if (enterPrivateNetns(import.meta.url)) {
  test('the inventory of the harness sees all that an installation holds, and its sweep frees it', async () => {
    mkdirSync(PARENT, { recursive: true });
    const folder = mkdtempSync(join(PARENT, 'sweep-'));
    const before = await takeInventory(placeIn(folder));
    await occupy(folder);
    const held = leftBehind(before, await takeInventory(placeIn(folder)));
    assert.deepEqual(Object.keys(held).sort(), [
      'cgroups',
      'links',
      'loops',
      'mounts',
      'processes',
      'subvolumes',
      'tables',
    ]);
    assert.equal(held.processes?.length, 2);
    await sweep(folder, placeIn(folder));
    // The links and tables of the namespace go with it.
    await eventually('all else is gone', async () => {
      const {
        links: _links,
        tables: _tables,
        ...rest
      } = leftBehind(before, await takeInventory(placeIn(folder)));
      return Object.keys(rest).length === 0;
    });
    assert.equal(existsSync(folder), false);
  });

  test('what a killed test run left is swept by the next, and what a living one holds is not', async () => {
    mkdirSync(PARENT, { recursive: true });
    const ended = spawn('true');
    await new Promise((resolve) => ended.once('exit', resolve));
    const [abandoned, living] = ['abandoned-', 'living-'].map((name) => mkdtempSync(join(PARENT, name)));
    assert.ok(abandoned !== undefined && living !== undefined && ended.pid !== undefined);
    writeFileSync(join(abandoned, 'owner'), String(ended.pid));
    writeFileSync(join(living, 'owner'), String(process.pid));
    await sweepAbandoned(dirname(living));
    assert.deepEqual([existsSync(abandoned), existsSync(living)], [false, true]);
    await sweep(living, placeIn(living));
  });
}
