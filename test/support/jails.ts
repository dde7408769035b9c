import { join } from 'node:path';
import { createNaming } from '../../src/core/naming.ts';
import { Cgroups } from '../../src/host/cgroups.ts';
import { Jails } from '../../src/host/jail/jails.ts';

/** Jails whose places lie below a test's own folder, which others may pass through. */
export const jailsIn = (folder: string): Jails =>
  new Jails({ naming: createNaming(join(folder, 'state'), join(folder, 'run')), cgroups: new Cgroups() });
