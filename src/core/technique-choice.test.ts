import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ErrorCode, MullionError } from '../contract/errors.ts';
import type { ImagePart } from '../contract/resources.ts';
import {
  TECHNIQUE_FACTS,
  TECHNIQUES,
  type Technique,
  type TechniqueReport,
  type Wish,
} from '../contract/techniques.ts';
import { type Candidate, chooseTechnique, PREFERENCE } from './technique-choice.ts';

const candidate = (
  id: Technique,
  state: TechniqueReport['state'],
  needs: readonly ImagePart[] = ['disk'],
  screens = false,
): Candidate => ({
  report: {
    id,
    name: TECHNIQUE_FACTS[id].name,
    driver: TECHNIQUE_FACTS[id].driver,
    state,
    reason: `The probe of ${id} said ${state}.`,
    evidence: [`/dev/${id}`],
    remedy: state === 'healthy' ? '' : `Repair ${id}`,
    features: {},
  },
  boot: { needs, foreign: id === 'full' || id === 'hardware' ? ['boot-disk', 'iso'] : [] },
  features: { ownKernel: id !== 'os', display: screens },
});
const image = (...parts: ImagePart[]) => ({ name: 'debian/12', parts });
const refuses = (code: ErrorCode, pattern: RegExp, body: () => unknown): void => {
  assert.throws(
    body,
    (error: unknown) =>
      error instanceof MullionError &&
      error.code === code &&
      pattern.test(`${error.message} ${error.remedy} ${JSON.stringify(error.details)}`),
  );
};

describe('the choice of a technique', () => {
  test('every technique has its place in the order', () => {
    assert.deepEqual([...PREFERENCE].sort(), [...TECHNIQUES].sort());
  });

  test('auto takes the first that host and image allow, whatever the order of the reports', () => {
    const reports = [
      candidate('full', 'healthy'),
      candidate('hardware', 'healthy'),
      candidate('os', 'healthy', ['rootfs']),
    ];
    assert.equal(chooseTechnique('auto', image('rootfs', 'disk'), reports).technique, 'os');
    const second = chooseTechnique('auto', image('disk'), reports);
    assert.equal(second.technique, 'hardware');
    assert.match(second.reason, /os does not fit the image\.$/);
    const unwell = [
      candidate('os', 'undetected', ['rootfs']),
      candidate('hardware', 'unhealthy'),
      candidate('full', 'healthy'),
    ];
    const third = chooseTechnique('auto', image('rootfs', 'disk'), unwell);
    assert.equal(third.technique, 'full');
    assert.match(third.reason, /os is undetected, hardware is unhealthy/);
  });

  test('one that was asked for is taken, or refused with evidence and remedy', () => {
    const reports = [
      candidate('os', 'healthy', ['rootfs']),
      candidate('hardware', 'unhealthy'),
      candidate('full', 'healthy'),
    ];
    assert.equal(chooseTechnique('full', image('disk'), reports).technique, 'full');
    refuses('technique_unavailable', /said unhealthy.*Repair hardware.*\/dev\/hardware/, () =>
      chooseTechnique('hardware', image('disk'), reports),
    );
    refuses('technique_unavailable', /para/, () => chooseTechnique('para', image('disk'), reports));
    refuses('image_unfit', /lacks disk.*--technique os/, () =>
      chooseTechnique('full', image('rootfs'), reports),
    );
  });

  test('wishes rule techniques out, density orders them anew, each with its reason', () => {
    const all = [
      candidate('os', 'healthy', ['rootfs']),
      candidate('hardware', 'healthy'),
      candidate('para', 'healthy'),
      candidate('kernel', 'healthy'),
      candidate('full', 'healthy'),
    ];
    const without = (...gone: Technique[]): Candidate[] =>
      all.map((one) =>
        gone.includes(one.report.id) ? candidate(one.report.id, 'unhealthy', one.boot?.needs) : one,
      );
    const rows: [Wish[], Candidate[], Technique, RegExp][] = [
      [[], all, 'os', /lightest.*allows\.$/],
      [['density'], all, 'os', /most fit/],
      [['own-kernel'], all, 'hardware', /gives own-kernel: os does not give own-kernel\.$/],
      [['own-kernel', 'density'], all, 'kernel', /gives own-kernel and density/],
      [['isolation'], all, 'hardware', /os does not give isolation/],
      [['isolation', 'density'], all, 'para', /kernel does not give isolation/],
      [['isolation'], without('hardware'), 'para', /hardware is unhealthy/],
      [['own-kernel'], without('hardware', 'para'), 'kernel', /para is unhealthy/],
      [['isolation'], without('hardware', 'para'), 'full', /kernel does not give isolation/],
    ];
    for (const [wishes, candidates, technique, reason] of rows) {
      const choice = chooseTechnique('auto', image('rootfs', 'disk'), candidates, wishes);
      assert.equal(choice.technique, technique, wishes.join());
      assert.match(choice.reason, reason);
    }
  });

  test('a guest that boots by itself goes where there is a loader and a screen for it', () => {
    const reports = [
      candidate('os', 'healthy', ['rootfs']),
      candidate('hardware', 'unhealthy', ['disk', 'kernel'], true),
      candidate('full', 'healthy', ['disk', 'kernel'], true),
    ];
    assert.equal(chooseTechnique('auto', image('iso'), reports).technique, 'full');
    assert.equal(chooseTechnique('auto', image('boot-disk'), reports, ['display']).technique, 'full');
    refuses('image_unfit', /lacks rootfs.*--technique full$|lacks rootfs.*--technique full /, () =>
      chooseTechnique('os', image('iso'), reports),
    );
    refuses('technique_unavailable', /hardware: The probe.*Repair hardware/, () =>
      chooseTechnique('auto', image('iso'), reports.slice(0, 2)),
    );
  });

  test('wishes that nothing grants are refused with what would fit', () => {
    const os = candidate('os', 'healthy', ['rootfs']);
    refuses('image_unfit', /what was wanted: display.*it fits os/, () =>
      chooseTechnique('auto', image('rootfs'), [os], ['display']),
    );
    refuses('technique_unavailable', /hardware: The probe of hardware said unhealthy.*\/dev\/hardware/, () =>
      chooseTechnique(
        'auto',
        image('rootfs', 'disk'),
        [os, candidate('hardware', 'unhealthy')],
        ['isolation'],
      ),
    );
    refuses('invalid_request', /os does not give .* isolation/, () =>
      chooseTechnique('os', image('rootfs'), [os], ['isolation']),
    );
  });

  test('nothing that fits is said with the reasons', () => {
    refuses('technique_unavailable', /os: The probe/, () =>
      chooseTechnique('auto', image('disk'), [candidate('os', 'undetected')]),
    );
    refuses('image_unfit', /can run: os\./, () =>
      chooseTechnique('auto', image('kernel'), [candidate('os', 'healthy', ['rootfs'])]),
    );
  });
});
