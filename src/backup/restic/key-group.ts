import type { Cgroups } from '../../host/cgroups.ts';

/** A control group of this installation for nothing else; each key is made in a group of its own in it. */
export interface KeyGroup {
  readonly cgroups: Cgroups;
  readonly path: string;
}

/** Of one processor. */
const SHARE = 0.2;

/**
 * Has work run a program with a fifth of a processor, where this host lets it: the program's pid is given to `enter`.
 *
 * restic measures how dear the key of a new repository may be to derive, so that it takes half a second of this host; it
 * does so again each time that it opens the repository. That is for passwords that people choose. Ours are 256 random
 * bits, which nobody guesses, however little a guess costs: measured like this, every later command begins sooner.
 */
export async function withSmallShare<T>(
  { cgroups, path: parent }: KeyGroup,
  name: string,
  work: (enter: (pid: number) => void) => Promise<T>,
): Promise<T> {
  const quietly = (act: () => void): void => {
    try {
      act();
    } catch {
      // Then the key is dearer.
    }
  };
  const path = `${parent}/${name}`;
  quietly(() => {
    cgroups.ensure(path);
    cgroups.setLimits(path, { cpus: SHARE });
  });
  try {
    return await work((pid) => quietly(() => cgroups.enter(path, pid)));
  } finally {
    await cgroups.remove(path).catch(() => undefined);
    if (cgroups.list(parent).length === 0) await cgroups.remove(parent).catch(() => undefined);
  }
}
