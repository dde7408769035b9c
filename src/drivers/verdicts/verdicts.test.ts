import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TechniqueReport } from '../../contract/techniques.ts';
import { rememberedVerdict } from './verdicts.ts';

const report = (state: TechniqueReport['state'], reason: string): TechniqueReport => ({
  id: 'full',
  name: 'full virtualization',
  driver: 'qemu',
  state,
  reason,
  evidence: [],
  remedy: '',
  features: {},
});

/** Probes of one technique in turn, each with the next answer; `asked` is how many there were. */
function probing(...answers: readonly TechniqueReport[]) {
  const folder = mkdtempSync(join(tmpdir(), 'mullion-verdicts-'));
  const path = join(folder, 'cache', 'verdicts.json');
  let asked = 0;
  return {
    path,
    asked: () => asked,
    kept: (): Record<string, TechniqueReport> => JSON.parse(readFileSync(path, 'utf8')),
    probe: async (key: string, anew = false): Promise<string> => {
      const { reason } = await rememberedVerdict(path, key, anew, async () => {
        const answer = answers[asked];
        asked += 1;
        assert.ok(answer !== undefined, 'the probe was not to be asked again');
        return answer;
      });
      return reason;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

test('a good verdict is remembered for as long as its key stays the same', async () => {
  using on = probing(report('healthy', 'it ran'), report('healthy', 'it ran under the new kernel'));
  assert.deepEqual([await on.probe('6.1'), await on.probe('6.1')], ['it ran', 'it ran']);
  assert.equal(await on.probe('6.12'), 'it ran under the new kernel');
});

test('a bad verdict is not, nor is one believed that was written down', async () => {
  using on = probing(report('unhealthy', 'no answer in time'), report('healthy', 'it ran'));
  mkdirSync(dirname(on.path));
  writeFileSync(on.path, JSON.stringify({ '6.1': report('unhealthy', 'long ago') }));
  assert.equal(await on.probe('6.1'), 'no answer in time');
  assert.equal(await on.probe('6.1'), 'it ran');
  assert.equal(await on.probe('6.1'), 'it ran');
});

test('what is asked anew takes the place of what is remembered, a bad verdict too', async () => {
  using on = probing(
    report('healthy', 'it ran'),
    report('healthy', 'it ran again'),
    report('unhealthy', 'it broke'),
    report('unhealthy', 'it is broken'),
  );
  assert.equal(await on.probe('6.1'), 'it ran');
  assert.equal(await on.probe('6.1', true), 'it ran again');
  assert.equal(await on.probe('6.1'), 'it ran again');
  assert.equal(await on.probe('6.1', true), 'it broke');
  assert.deepEqual(on.kept(), {});
  assert.equal(await on.probe('6.1'), 'it is broken');
});

test('verdicts that are found at once are all kept', async () => {
  using on = probing(report('healthy', 'it ran'), report('healthy', 'it ran'));
  await Promise.all([on.probe('full'), on.probe('hardware')]);
  assert.deepEqual(Object.keys(on.kept()).sort(), ['full', 'hardware']);
});
