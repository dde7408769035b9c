import { join } from 'node:path';
import { TOOLS_IMAGE } from '../../src/cli/compare/compare.ts';

/** Outlives test runs: holds the built images. */
export const CACHE = process.env.MULLION_TEST_CACHE ?? '/var/cache/mullion-test';

/** The parts of debian/12, for tests of drivers alone: `scripts/prime-image-cache.ts` makes this link. */
export const PRIMED = join(CACHE, 'primed');
/** Likewise those of `quick`. */
export const PRIMED_QUICK = join(CACHE, 'primed-quick');
/** Likewise those of the image that `mullion compare` measures with. */
export const PRIMED_TOOLS = join(CACHE, 'primed-tools');
export const TEST_IMAGE = process.env.MULLION_TEST_IMAGE ?? PRIMED;

/** An image with a web server in it, which `scripts/prime-image-cache.ts` builds too. */
export const PAGE_IMAGE = ['page/nginx', '--suite', 'bookworm', '--include', 'nginx'] as const;
/** An image with what `mullion compare` measures with, which `scripts/prime-image-cache.ts` builds too. */
export const TOOLS_IMAGE_ARGS = [
  TOOLS_IMAGE.name,
  ...['--suite', TOOLS_IMAGE.suite, '--include', TOOLS_IMAGE.include.join(',')],
] as const;
/**
 * Debian with sqlite3, whose machines answer some seconds after their start; its containers run systemd, or nothing when
 * they are launched as `PLAIN`. Built by `scripts/prime-image-cache.ts` too.
 */
export const QUICK_IMAGE = ['quick', '--file', join(import.meta.dirname, 'quick-guest/recipe.yaml')] as const;
/** Flags of a launch of `quick` whose first process only waits: systemd takes longer than many a test. */
export const PLAIN = ['--env', 'plain=yes'] as const;
