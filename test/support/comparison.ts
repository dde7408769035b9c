import { MEASURES, type MeasureId } from '../../src/cli/compare/measures.ts';
import type { Comparison, Subject, Values } from '../../src/cli/compare/result.ts';
import { GIB, MIB } from '../../src/contract/sizes.ts';
import { TECHNIQUE_FACTS, type Technique } from '../../src/contract/techniques.ts';

/** One technique with these numbers; a text is the reason why there is none. */
export function subject(
  technique: Technique,
  numbers: Partial<Record<MeasureId, number | string>>,
  more: Partial<Subject> = {},
): Subject {
  const { name, driver, advantages, limits } = TECHNIQUE_FACTS[technique];
  const values: Values = {};
  for (const { id } of MEASURES) {
    const found = numbers[id];
    if (typeof found === 'number') values[id] = { value: found, samples: [found] };
    if (typeof found === 'string') values[id] = { value: null, reason: found };
  }
  const known = { technique, name, driver, advantages, limits, values };
  return { ...known, state: 'measured', reason: '', remedy: '', ...more };
}

export const comparison = (techniques: readonly Subject[], more: Partial<Comparison> = {}): Comparison => ({
  measuredAt: '2026-01-02T03:04:05.000Z',
  seconds: 95,
  quick: false,
  image: 'debian/12',
  limits: { cpus: 1, memory: 512 * MIB, disk: 4 * GIB },
  host: {
    node: 'node-1',
    version: '0.1.0',
    distribution: 'Debian GNU/Linux 12 (bookworm)',
    kernel: '6.1.0',
    processor: 'A Processor',
    cpus: 2,
    memoryTotal: 16 * GIB,
    memoryAvailable: 12 * GIB,
  },
  measures: MEASURES.map(({ id, title, unit, better, how }) => ({ id, title, unit, better, how })),
  techniques,
  ...more,
});
