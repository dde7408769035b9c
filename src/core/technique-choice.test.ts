import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ErrorCode, MullionError } from '../contract/errors.ts';
import type { ImagePart } from '../contract/resources.ts';
import { TECHNIQUE_FACTS, TECHNIQUES, type Technique, type TechniqueReport } from '../contract/techniques.ts';
import { type Candidate, chooseTechnique, PREFERENCE } from './technique-choice.ts';

const candidate = (
  id: Technique,
  state: TechniqueReport['state'],
  needs: readonly ImagePart[] = ['disk'],
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
  needs,
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

  test('nothing that fits is said with the reasons', () => {
    refuses('technique_unavailable', /os: The probe/, () =>
      chooseTechnique('auto', image('disk'), [candidate('os', 'undetected')]),
    );
    refuses('image_unfit', /can run: os\./, () =>
      chooseTechnique('auto', image('kernel'), [candidate('os', 'healthy', ['rootfs'])]),
    );
  });
});
