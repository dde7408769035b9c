import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { NO_RATES } from '../../src/contract/rates.ts';
import { run } from '../../src/host/run.ts';
import { finish } from '../conformance/drivers.ts';
import { leaksOf, namedLeaks, PROBE, parseFacts, probeText } from '../isolation/leak-score.ts';
import { debianImage, NO_DEBIAN, openCrunFixture } from '../support/crun-fixture.ts';

const MIB = 1024 ** 2;

test('what a VPS knows of its host is what docs/security.md names', async (t) => {
  const image = debianImage();
  if (process.getuid?.() !== 0) return t.skip('needs root');
  if (image === undefined) return t.skip(NO_DEBIAN);
  const fixture = openCrunFixture(image, 60_000);
  const { driver } = fixture;
  const machine = await fixture.machine({
    limits: { cpus: 1, memory: 192 * MIB, disk: 1024 * MIB, pids: 200, ...NO_RATES },
  });
  t.after(async () => {
    await driver.remove(machine, undefined);
    await fixture.close();
  });
  await driver.populate(machine);
  const { handle } = await driver.prepare(machine);
  await driver.start(machine, handle);
  const onHost = async () =>
    parseFacts((await run(['perl', PROBE], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } })).stdout);
  const before = await onHost();
  const session = await driver.exec?.exec(machine, handle, { argv: ['perl', '-'], env: {}, tty: false });
  assert.ok(session !== undefined);
  const { stdout, stderr, code } = await finish(session, probeText());
  assert.equal(code, 0, stderr);
  const guest = parseFacts(stdout);
  const after = await onHost();
  assert.ok(guest.size > 300, `${guest.size} facts`);
  const leaks = leaksOf(before, after, guest);
  const named = namedLeaks(readFileSync(join(import.meta.dirname, '../../docs/security.md'), 'utf8'));
  const unnamed = leaks.filter((name) => !named.some((pattern) => pattern.test(name)));
  t.diagnostic(`leak score: ${leaks.length} of ${guest.size} facts, each named in docs/security.md`);
  assert.deepEqual(
    unnamed.map((name) => `${name}: ${guest.get(name)?.slice(0, 100)}`),
    [],
  );
  const secrets = [fixture.scratch, machine.id, '/dev/vda'];
  for (const [name, value] of guest) {
    if (name.startsWith('mount.'))
      assert.ok(!secrets.some((secret) => value.includes(`${secret}/`)), `${name}: ${value}`);
  }
});
