import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MIB } from '../../src/contract/sizes.ts';
import { ATTACKS } from '../bench/attacks.ts';
import { makeOutside, NOISE_HEAD, noiseRow, openService, underAttack } from '../bench/noise.ts';
import { mullionPair } from '../bench/noise-pairs.ts';
import { TestDaemon } from '../support/daemon.ts';
import { LONG_FORM } from '../support/long-form.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { infoOf } from './verbs.ts';

/** How long is looked before an attack, and during it. How much slower it is then is the benchmark's matter. */
const SECONDS = LONG_FORM ? 5 : 1;
/** Processor time that an attack costs at least who makes it, if it is one; bytes that it writes, if its disk is limited. */
const LEAST_S = 0.2;
const LEAST_BYTES = 10 * MIB;

if (enterPrivateNetns(import.meta.url)) {
  test('a VPS answers each request and writes to its disk, whatever its neighbour does', async (t) => {
    await using daemon = await TestDaemon.start('noisy-neighbours');
    await daemon.ensureImage();
    await makeOutside();
    await using pair = await mullionPair(daemon);
    await openService(pair);
    const used = async (): Promise<number> => (await infoOf(daemon, 'attacker')).usage.cpuSeconds;
    const written = async (): Promise<number> => {
      const text = await daemon.metrics();
      return Number(/^mullion_vps_disk_written_bytes_total\{vps="attacker".*\} (\d+)$/m.exec(text)?.[1]);
    };
    for (const line of NOISE_HEAD) t.diagnostic(line);
    for (const attack of ATTACKS) {
      await daemon.check(t, `while it ${attack.name}`, async () => {
        const [measured, least] = attack.limits === undefined ? [used, LEAST_S] : [written, LEAST_BYTES];
        const before = await measured();
        const { calm, noisy } = await underAttack(pair, attack, SECONDS);
        assert.ok((await measured()) - before > least, 'the neighbour did not do it');
        assert.ok(noisy.http.length > 0 && noisy.write.every((ms) => ms > 0));
        t.diagnostic(noiseRow(attack.name, pair.kind, calm, noisy));
      });
    }
  });
}
