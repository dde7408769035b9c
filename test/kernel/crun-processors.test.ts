import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { ExecSession, Handle, Machine } from '../../src/drivers/driver.ts';
import { CgroupProcessors } from '../../src/host/cgroup-processors.ts';
import { type CrunFixture, NO_BUSYBOX, openCrunFixture, smallImage } from '../support/crun-fixture.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';

const BURN = 'for i in 1 2 3 4; do while :; do :; done & done; wait';

describe('containers that use all their processor time', () => {
  type Guest = { readonly machine: Machine; readonly handle: Handle };
  let fixture: CrunFixture | undefined;
  let unfit: string | undefined;
  let processors: CgroupProcessors;
  let all: readonly number[] = [];
  const guests: Guest[] = [];

  before(async () => {
    const scratch = scratchDirectory('crun-processors');
    const image = await smallImage(scratch.path);
    if (image === undefined) {
      unfit = NO_BUSYBOX;
      return;
    }
    fixture = openCrunFixture(image, 10_000, scratch);
    processors = new CgroupProcessors(fixture.cgroups.layout);
    for (const _ of ['busy', 'neighbour']) {
      const machine = await fixture.machine();
      await fixture.driver.populate(machine);
      const { handle } = await fixture.driver.prepare(machine);
      guests.push({ machine, handle });
      await fixture.driver.start(machine, handle);
    }
    all = processors.of(guests[0]?.machine.cgroup ?? '');
    if (all.length < 2) unfit = `this host lets control groups choose among ${all.length} processors`;
  });
  after(async () => {
    for (const { machine } of guests) await fixture?.driver.remove(machine, undefined);
    fixture?.driver.close?.();
    await fixture?.close();
  });

  type Body = (busy: Guest, neighbour: Guest, on: CrunFixture, t: TestContext) => Promise<void>;
  const step = (title: string, body: Body): void => {
    it(title, async (t) => {
      const [busy, neighbour] = guests;
      if (unfit !== undefined || fixture === undefined) return t.skip(unfit ?? 'the fixture did not open');
      assert.ok(busy !== undefined && neighbour !== undefined);
      await body(busy, neighbour, fixture, t);
    });
  };
  const of = ({ machine }: Guest): number[] => processors.of(machine.cgroup);
  const burn = async ({ machine, handle }: Guest, on: CrunFixture): Promise<ExecSession> => {
    const session = await on.driver.exec?.exec(machine, handle, {
      argv: ['sh', '-c', BURN],
      env: {},
      tty: false,
    });
    assert.ok(session !== undefined);
    session.exit.catch(() => undefined);
    return session;
  };
  const calm = async ({ machine, handle }: Guest, on: CrunFixture): Promise<void> => {
    const argv = ['sh', '-c', 'kill -9 -1'];
    const session = await on.driver.exec?.exec(machine, handle, { argv, env: {}, tty: false });
    await session?.exit.catch(() => undefined);
  };
  const isFree = (guest: Guest): Promise<void> =>
    eventually(`${guest.machine.id} may run anywhere`, () => of(guest).join() === all.join());

  step(
    'it is kept on as many processors as it has, and its neighbour on none',
    async (busy, neighbour, on) => {
      await burn(busy, on);
      await eventually('it is kept on one', () => of(busy).length === 1);
      assert.deepEqual(of(neighbour), all);
      await on.driver.limits?.setLimits(busy.machine, busy.handle, {
        ...busy.machine.limits,
        cpus: all.length,
      });
      await isFree(busy);
      await on.driver.limits?.setLimits(busy.machine, busy.handle, busy.machine.limits);
      await eventually('it is kept on one again', () => of(busy).length === 1);
    },
  );

  step(
    'a second one is kept apart from it, or both are free where nothing is left',
    async (busy, neighbour, on) => {
      await burn(neighbour, on);
      if (all.length === 2) await isFree(busy);
      else {
        await eventually('it is kept on one', () => of(neighbour).length === 1);
        assert.notDeepEqual(of(neighbour), of(busy));
      }
    },
  );

  step('once it is calm it may run anywhere', async (busy, neighbour, on) => {
    await calm(neighbour, on);
    await eventually('the first is kept on one', () => of(busy).length === 1);
    await calm(busy, on);
    await isFree(busy);
    assert.deepEqual(of(neighbour), all);
  });

  step(
    'a daemon that ends in good order keeps nobody, and the next one frees whom a killed one kept',
    async (busy, _, on) => {
      await burn(busy, on);
      await eventually('it is kept on one', () => of(busy).length === 1);
      on.driver.close?.();
      assert.deepEqual(of(busy), all);
      await calm(busy, on);
      processors.keep(busy.machine.cgroup, all.slice(0, 1));
      const later = on.reopen();
      try {
        assert.equal(await later.recover(busy.machine, busy.handle), 'running');
        await isFree(busy);
      } finally {
        later.close?.();
      }
    },
  );
});
