import { createNaming } from '../../src/core/naming.ts';
import { Cgroups } from '../../src/host/cgroups.ts';
import { Jails } from '../../src/host/jail/jails.ts';
import { placeIn, removeCgroups } from './sweep.ts';

const folders = new Set<string>();

/** Jails whose places lie below a test's own folder, which others may pass through. */
export function jailsIn(folder: string): Jails {
  if (folders.size === 0) process.once('exit', removeAll);
  folders.add(folder);
  const { stateDirectory, runDirectory } = placeIn(folder);
  return new Jails({ naming: createNaming(stateDirectory, runDirectory), cgroups: new Cgroups() });
}

/** The group that holds those of all jails stays as long as there may be another. */
function removeAll(): void {
  for (const folder of folders) removeCgroups(placeIn(folder));
}
