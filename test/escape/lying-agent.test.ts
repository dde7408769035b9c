import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../src/contract/errors.ts';
import { MIB } from '../../src/contract/sizes.ts';
import type { DriverFixture } from '../conformance/drivers.ts';
import { LONG_FORM } from '../support/long-form.ts';
import { eventually } from '../support/scratch.ts';
import { openSmallQemu } from '../support/small-guest.ts';
import { describeGuest, StandingGuest, type Step } from '../support/standing-guest.ts';
import { openSmallUml } from '../support/uml-fixture.ts';

const LIAR = readFileSync(join(import.meta.dirname, 'lying-agent.pl'));
/** What it says, and for how many seconds; after ten of them gives up who waits for an answer. */
const LIES = [
  ...([
    ['lines', 4],
    ['forgery', 5],
  ] as const),
  ...(LONG_FORM
    ? ([
        ['noise', 4],
        ['refusals', 5],
        ['depth', 12],
        ['length', 13],
        ['silence', 13],
      ] as const)
    : []),
];
/** Longest that a verb of the driver may take, whatever the guest says; the engine has bounds of its own. */
const SETTLED_MS = 90_000;
const MOST_MEMORY = 96 * MIB;

const inPlaceOfAgent = async (guest: StandingGuest): Promise<void> => {
  const { driver, machine, handle } = guest;
  await driver.files?.push(machine, handle, '/usr/sbin/liar', Readable.from([LIAR]), 0o755);
  const moved = await guest.sh(
    'cd /usr/sbin && cp -a qemu-ga qemu-ga.true && mv liar qemu-ga && perl -c qemu-ga 2>&1',
  );
  assert.match(moved.stdout, /syntax OK/);
};

/** What every verb that asks the agent came to: none may hang, and no command may seem to have run that has not. */
async function askAll(guest: StandingGuest): Promise<string[]> {
  const { driver, machine, handle } = guest;
  const command = async (): Promise<string> => {
    const { code, stdout } = await guest.sh('echo the truth');
    return code !== 0 || stdout === 'the truth\n' ? `exit ${code}` : 'forged';
  };
  const asked = {
    ready: driver.health?.isReady(machine, handle),
    usage: driver.usage(machine, handle),
    // The first may go to a runner that waits, without the agent.
    exec: command(),
    second: command(),
    list: driver.files?.list(machine, handle, '/root'),
    rest: driver.freeze?.freeze(machine, handle, 2_000).finally(() => driver.freeze?.thaw(machine, handle)),
    limits: driver.limits?.setLimits(machine, handle, machine.limits),
  };
  const late = sleep(SETTLED_MS, 'late', { ref: false });
  const ends = await Promise.all(
    Object.entries(asked).map(async ([verb, work]) => {
      const settled = Promise.resolve(work).then(
        (value) => `${verb}: ${JSON.stringify(value)?.slice(0, 80)}`,
        (failure: unknown) => `${verb}: failed: ${String(failure).slice(0, 120)}`,
      );
      return (await Promise.race([settled, late])) === 'late' ? `${verb}: late` : settled;
    }),
  );
  return ends;
}

const onlyLost = (failure: unknown): void => {
  assert.ok(failure instanceof MullionError && failure.code === 'guest_unresponsive', String(failure));
};

function lies(step: Step): void {
  let other: StandingGuest | undefined;
  const honest = async (on: DriverFixture): Promise<StandingGuest> => {
    other ??= await StandingGuest.start(on, {});
    return other;
  };

  for (const [lie, seconds] of LIES) {
    step(`an agent of ${lie} costs its own VPS alone, and ends with it`, async (guest, t) => {
      const neighbour = await honest(guest.on);
      const { stdout } = await guest.sh('[ -e /usr/sbin/qemu-ga.true ] && echo there');
      if (stdout === '') await inPlaceOfAgent(guest);
      global.gc?.();
      const before = process.memoryUsage().rss;
      // The new agent may already say of this very command that it has ended.
      await guest
        .sh(
          `rm -f /run/lying; echo ${lie} ${seconds} >/run/lie; pkill '^qemu-ga'; until [ -e /run/lying ]; do sleep 0.05; done`,
        )
        .catch(onlyLost);
      const asking = askAll(guest);
      assert.equal((await neighbour.sh('echo well')).stdout, 'well\n');
      const ends = await asking;
      t.diagnostic(ends.join('; '));
      assert.deepEqual(
        ends.filter((end) => /: late$|forged/.test(end)),
        [],
      );
      const grown = process.memoryUsage().rss - before;
      assert.ok(grown < MOST_MEMORY, `the daemon's process grew by ${Math.round(grown / MIB)} MiB`);
      await eventually(
        'the true agent has taken over, and answers',
        async () => {
          const there = await guest.sh("pgrep '^qemu-ga.true'").catch(() => undefined);
          return there?.code === 0 && (await guest.isReady());
        },
        guest.on.patience.ready,
      );
    });
  }

  step('the neighbour has noticed nothing', async () => {
    assert.ok(other !== undefined);
    assert.equal((await other.sh('echo well')).stdout, 'well\n');
    await other.remove();
    other = undefined;
  });
}

describeGuest('a guest of User-Mode Linux whose agent lies', { open: openSmallUml, machine: {} }, lies);
if (LONG_FORM) {
  describeGuest('a guest of QEMU whose agent lies', { open: openSmallQemu, machine: {} }, lies);
}
