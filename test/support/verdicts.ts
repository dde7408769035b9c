import { copyFileSync, globSync, mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cacheDirectory, createNaming } from '../../src/core/naming.ts';
import { CACHE } from './test-image.ts';

/**
 * What this host can run, as the daemon of `scripts/prime-image-cache.ts` found by booting guests: found once for a run
 * of the tests instead of by each of its many daemons.
 */
const VERDICTS = join(CACHE, 'verdicts');

const folderOf = (stateDirectory: string): string => cacheDirectory(createNaming(stateDirectory, ''));

export function forgetVerdicts(): void {
  rmSync(VERDICTS, { recursive: true, force: true });
}

/** Keeps the verdicts of a daemon's probes for others. */
export function keepVerdicts(stateDirectory: string): void {
  copyAll(folderOf(stateDirectory), VERDICTS);
}

/** Gives a new daemon what is kept. */
export function takeVerdicts(stateDirectory: string): void {
  copyAll(VERDICTS, folderOf(stateDirectory));
}

function copyAll(from: string, to: string): void {
  for (const file of globSync(join(from, '*-probe.json'))) {
    mkdirSync(to, { recursive: true, mode: 0o700 });
    copyFileSync(file, join(to, basename(file)));
  }
}
