import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import type { FilesToRun } from '../../scripts/run-files.ts';
import { readReport } from '../../scripts/test-report.ts';
import type { FileTime, Outcome } from '../../scripts/test-reporter.ts';
import { foreignGuest, missingForForeign } from '../support/foreign-guest.ts';
import { BRIEF_FORM, ITS_LONG_FORM, ITS_WHOLE_FORM, LONG_FORM } from '../support/long-form.ts';
import { HOST_OF } from '../support/nested/kinds.ts';
import { NestedHost } from '../support/nested/nested-host.ts';
import { installProgram } from '../support/nested/programs.ts';
import { unfitForNested } from '../support/nested/template.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { scratchDirectory } from '../support/scratch.ts';
import { fullImage, NO_IMAGE } from '../support/small-guest.ts';
import { PRIMED_QUICK } from '../support/test-image.ts';

const FOLDER = '/srv/suite';
const REPORT = `${FOLDER}/report`;
const SUITE = join(import.meta.dirname, '../support/nested/driver-suite.ts');
const RUNNER = join(import.meta.dirname, '../../scripts/run-files.ts');
const SUITE_MS = 2_400_000;

/** A file system whose files are copied in a moment, as volumes are in a pool, with the parts of the image `quick`. */
const prepare = (): string => `
set -e
mkdir -p ${FOLDER}
truncate -s 6G /srv/suite.btrfs
mkfs.btrfs -q /srv/suite.btrfs
mount -o loop /srv/suite.btrfs ${FOLDER}
mkdir ${FOLDER}/scratch
cd /var/cache/mullion/images/${basename(readlinkSync(PRIMED_QUICK))}
cp disk.raw vmlinuz initramfs ${FOLDER}
chmod 711 ${FOLDER}
chmod 644 ${FOLDER}/disk.raw ${FOLDER}/vmlinuz ${FOLDER}/initramfs`;

if (enterPrivateNetns(import.meta.url)) {
  for (const technique of ['hardware', 'para'] as const) {
    test(`the driver of ${technique} does what every driver must do`, async (t) => {
      if (BRIEF_FORM) return t.skip(ITS_WHOLE_FORM);
      if (technique === 'para' && !LONG_FORM) return t.skip(ITS_LONG_FORM);
      const kind = HOST_OF[technique];
      const unfit = await unfitForNested(kind);
      if (unfit !== undefined) return t.skip(unfit);
      const missing = missingForForeign();
      if (missing.length > 0) return t.skip(`these files are not here: ${missing.join(', ')}`);
      const image = fullImage();
      if (image === undefined) return t.skip(NO_IMAGE);
      using scratch = scratchDirectory('drivers');
      await using host = await NestedHost.clone(kind);
      let outcomes: readonly (Outcome | FileTime)[] = [];
      await host.check(t, 'its suite runs on a host of its kind', async () => {
        await host.ok(prepare(), 300_000);
        const { iso = '' } = await foreignGuest(image, scratch.path);
        await host.push(iso, `${FOLDER}/foreign.iso`);
        const asked: FilesToRun = {
          files: [await installProgram(host, SUITE)],
          ...{ concurrency: 1, shared: true, quiet: false, timeoutMs: SUITE_MS, report: REPORT },
        };
        const env = `MULLION_SUITE=${FOLDER} MULLION_SUITE_TECHNIQUE=${technique} MULLION_TEST_SCRATCH=${FOLDER}/scratch`;
        const runner = await installProgram(host, RUNNER);
        const line = `${env} ${host.node} ${runner} '${JSON.stringify(asked)}'`;
        const { stdout, stderr } = await host.exec(['/bin/sh', '-c', line], { timeoutMs: SUITE_MS });
        console.log(stdout, stderr);
        outcomes = readReport(await host.ok(`cat ${REPORT}`));
        assert.ok(outcomes.length > 40, `${outcomes.length} tests ran`);
      });
      for (const outcome of outcomes) {
        if (outcome.type === 'file') continue;
        await t.test(outcome.name, (inner) => {
          if (outcome.type === 'skipped') inner.skip(outcome.reason);
          else assert.equal(outcome.type, 'passed', 'what it said is above');
        });
      }
    });
  }
}
