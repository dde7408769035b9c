import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { NO_RATES } from '../../src/contract/rates.ts';
import { run } from '../../src/host/run.ts';
import { finish } from '../conformance/drivers.ts';
import {
  type Facts,
  hostWords,
  leaksOf,
  namedLeaks,
  PROBE,
  parseFacts,
  probeText,
} from '../isolation/leak-score.ts';
import { debianImage, NO_DEBIAN, openCrunFixture } from '../support/crun-fixture.ts';
import { openSmallQemu } from '../support/small-guest.ts';
import { describeGuest, type StandingGuest } from '../support/standing-guest.ts';
import { openSmallUml } from '../support/uml-fixture.ts';

const MIB = 1024 ** 2;
const limits = { cpus: 1, memory: 192 * MIB, disk: 1024 * MIB, pids: 200, ...NO_RATES };

type Guest = Pick<StandingGuest, 'driver' | 'machine' | 'handle'>;

const onHost = async (): Promise<Facts> =>
  parseFacts((await run(['perl', PROBE], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } })).stdout);

/** What a machine that runs is told, and which of it is the host's. */
async function ask({ driver, machine, handle }: Guest, hasOwnKernel: boolean) {
  const before = await onHost();
  const session = await driver.exec?.exec(machine, handle, { argv: ['perl', '-'], env: {}, tty: false });
  assert.ok(session !== undefined);
  const { stdout, stderr, code } = await finish(session, probeText());
  assert.equal(code, 0, stderr);
  const facts = parseFacts(stdout);
  assert.ok(facts.size > 300, `${facts.size} facts`);
  return { facts, leaks: leaksOf([before, await onHost()], facts, hostWords(), hasOwnKernel) };
}

/** Fails on what is the host's and not in the table of its technique. */
async function score(guest: Guest, t: TestContext, hasOwnKernel = false): Promise<void> {
  const { machine } = guest;
  const { facts, leaks: first } = await ask(guest, hasOwnKernel);
  // Numbers of another kernel are the host's by chance, but not twice.
  const again = hasOwnKernel ? (await ask(guest, hasOwnKernel)).leaks : first;
  const leaks = first.filter((name) => again.includes(name));
  const document = readFileSync(join(import.meta.dirname, '../../docs/security.md'), 'utf8');
  const named = namedLeaks(document, machine.technique);
  const unnamed = leaks.filter((name) => !named.some((pattern) => pattern.test(name)));
  t.diagnostic(`leak score of ${machine.technique}: ${leaks.length} of ${facts.size} facts`);
  t.diagnostic(leaks.toSorted().join(', '));
  assert.deepEqual(
    unnamed.map((name) => `${name}: ${facts.get(name)?.slice(0, 100)}`),
    [],
  );
  const secrets = [machine.runDirectory, machine.volume, machine.id, '/dev/vda'];
  for (const [name, value] of facts) {
    if (name.startsWith('mount.'))
      assert.ok(!secrets.some((secret) => value.includes(`${secret}/`)), `${name}: ${value}`);
  }
}

test('what a VPS knows of its host is what docs/security.md names', async (t) => {
  const image = debianImage();
  if (process.getuid?.() !== 0) return t.skip('needs root');
  if (image === undefined) return t.skip(NO_DEBIAN);
  const fixture = openCrunFixture(image, 60_000);
  const { driver } = fixture;
  const machine = await fixture.machine({ limits });
  t.after(async () => {
    await driver.remove(machine, undefined);
    await fixture.close();
  });
  await driver.populate(machine);
  const { handle } = await driver.prepare(machine);
  await driver.start(machine, handle);
  await score({ driver, machine, handle }, t);
});

for (const { open, name } of [
  { open: openSmallQemu, name: 'full' },
  { open: openSmallUml, name: 'kernel' },
]) {
  describeGuest(`a guest of technique ${name}`, { open, machine: { limits } }, (step) => {
    step('knows of its host what docs/security.md names', (guest, t) => score(guest, t, true));
  });
}
