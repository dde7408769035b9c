import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Driver, Handle, Machine } from '../../src/drivers/driver.ts';
import { detectCgroups } from '../../src/host/cgroup-layout.ts';
import { CgroupProcessors } from '../../src/host/cgroup-processors.ts';
import { type CrunFixture, NO_BUSYBOX, openCrunFixture, smallImage } from '../support/crun-fixture.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';

/** So little that a container gets all of it beside whatever else runs here. */
const CPUS = 0.2;
const BURN = 'for i in 1 2 3 4; do while :; do :; done & done; wait';

/** Control groups as they are, on a host where nothing else runs. */
class OnlyTheirs extends CgroupProcessors {
  override busySeconds(): ReadonlyMap<number, number> {
    return new Map();
  }
}

describe('containers that use all their processor time', () => {
  type Guest = { readonly machine: Machine; readonly handle: Handle };
  let fixture: CrunFixture | undefined;
  let unfit: string | undefined;
  let processors: CgroupProcessors;
  let all: readonly number[] = [];
  const guests: Guest[] = [];
  let driver: Driver;

  before(async () => {
    const scratch = scratchDirectory('crun-processors');
    const image = await smallImage(scratch.path);
    if (image === undefined) {
      unfit = NO_BUSYBOX;
      return;
    }
    processors = new OnlyTheirs(detectCgroups());
    fixture = openCrunFixture(image, 10_000, scratch, undefined, processors);
    driver = fixture.driver;
    for (const _ of ['busy', 'neighbour']) {
      const usual = await fixture.machine();
      const machine = { ...usual, limits: { ...usual.limits, cpus: CPUS } };
      await driver.populate(machine);
      const { handle } = await driver.prepare(machine);
      guests.push({ machine, handle });
      await driver.start(machine, handle);
    }
    all = processors.of(guests[0]?.machine.cgroup ?? '');
    if (all.length < 2) unfit = `this host lets control groups choose among ${all.length} processors`;
  });
  after(async () => {
    for (const { machine } of guests) await driver.remove(machine, undefined);
    await fixture?.close();
  });

  type Body = (busy: Guest, neighbour: Guest, on: CrunFixture) => Promise<void>;
  const step = (title: string, body: Body): void => {
    it(title, async (t) => {
      const [busy, neighbour] = guests;
      if (unfit !== undefined || fixture === undefined) return t.skip(unfit ?? 'the fixture did not open');
      assert.ok(busy !== undefined && neighbour !== undefined);
      await body(busy, neighbour, fixture);
    });
  };
  const of = ({ machine }: Guest): number[] => processors.of(machine.cgroup);
  const burn = async ({ machine, handle }: Guest): Promise<void> => {
    const session = await driver.exec?.exec(machine, handle, {
      argv: ['sh', '-c', BURN],
      env: {},
      tty: false,
    });
    assert.ok(session !== undefined);
    session.exit.catch(() => undefined);
  };
  const calm = async ({ machine, handle }: Guest): Promise<void> => {
    const argv = ['sh', '-c', 'kill -9 -1'];
    const session = await driver.exec?.exec(machine, handle, { argv, env: {}, tty: false });
    await session?.exit.catch(() => undefined);
  };
  const isFree = (guest: Guest): Promise<void> =>
    eventually(`${guest.machine.id} may run anywhere`, () => of(guest).join() === all.join());

  step('it is kept on as many processors as it has, and its neighbour on none', async (busy, neighbour) => {
    await burn(busy);
    await eventually('it is kept on one', () => of(busy).length === 1);
    assert.deepEqual(of(neighbour), all);
    await driver.limits?.setLimits(busy.machine, busy.handle, {
      ...busy.machine.limits,
      cpus: all.length,
    });
    await isFree(busy);
    await driver.limits?.setLimits(busy.machine, busy.handle, busy.machine.limits);
    await eventually('it is kept on one again', () => of(busy).length === 1);
  });

  step(
    'a second one is kept apart from it, or may run anywhere where no processor would be left',
    async (busy, neighbour) => {
      await burn(neighbour);
      // Two seconds of what it may use.
      const until = processors.used(neighbour.machine.cgroup) + 2 * CPUS;
      await eventually(
        'the neighbour was busy for long',
        () => processors.used(neighbour.machine.cgroup) > until,
        60_000,
      );
      assert.equal(of(busy).length, 1);
      if (all.length === 2) assert.deepEqual(of(neighbour), all);
      else {
        await eventually('it is kept on one', () => of(neighbour).length === 1);
        assert.notDeepEqual(of(neighbour), of(busy));
      }
    },
  );

  step('once it is calm it may run anywhere', async (busy, neighbour) => {
    await calm(neighbour);
    await eventually('the first is kept on one', () => of(busy).length === 1);
    await calm(busy);
    await isFree(busy);
    assert.deepEqual(of(neighbour), all);
  });

  step(
    'a daemon that ends in good order keeps nobody, and the next one frees whom a killed one kept',
    async (busy, _, on) => {
      await burn(busy);
      await eventually('it is kept on one', () => of(busy).length === 1);
      driver.close?.();
      assert.deepEqual(of(busy), all);
      await calm(busy);
      processors.keep(busy.machine.cgroup, all.slice(0, 1));
      assert.equal(await on.reopen().recover(busy.machine, busy.handle), 'running');
      await isFree(busy);
    },
  );
});
