import { lstatSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigSchema } from '../../config.ts';
import { changed, found, type Step } from './step.ts';

const LINK = '/usr/local/bin/mullion';

/** Makes `mullion` a command of the shell, for an installation in the usual places only. */
export const commandLinkStep: Step = {
  name: 'command',
  run: async ({ root, config }) => {
    const launcher = join(root, 'mullion');
    if (config.stateDirectory !== ConfigSchema.parse({}).stateDirectory) {
      return found(`not linked, since the state lies in ${config.stateDirectory}: type ${launcher}`);
    }
    const present = linkTarget(LINK);
    if (present === launcher) return found(`${LINK} leads here`);
    if (present !== undefined) return found(`${LINK} leads elsewhere and is left alone: type ${launcher}`);
    symlinkSync(launcher, LINK);
    return changed(`linked ${LINK}`);
  },
};

/** Where a link leads; its own path when it is another kind of file; undefined when there is nothing. */
function linkTarget(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  return stat.isSymbolicLink() ? readlinkSync(path) : path;
}
