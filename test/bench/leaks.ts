import { leaksOfContainers } from '../isolation/leaks-of-containers.ts';
import { debianImage, NO_DEBIAN } from '../support/crun-fixture.ts';
import { scratchDirectory } from '../support/scratch.ts';
import type { Section } from './report.ts';

/** What a VPS and containers of other tools are told of their host. */
export async function leakSection(): Promise<Section> {
  const image = debianImage();
  if (image === undefined) throw new Error(NO_DEBIAN);
  using scratch = scratchDirectory('bench-leaks');
  const scores = await leaksOfContainers(image, scratch.path);
  return {
    title: 'What a VPS knows of its host',
    notes: [
      "A probe asks several hundred questions inside a container of each kind and on the host; answers that are the host's are",
      'counted. Each that a VPS has is named in docs/security.md, with its reason.',
    ],
    measurements: [],
    lines: [
      "| container | answers that are the host's | questions answered |",
      '|---|---:|---:|',
      ...scores.map(({ kind, leaks, facts }) => `| ${kind} | ${leaks} | ${facts} |`),
    ],
  };
}
