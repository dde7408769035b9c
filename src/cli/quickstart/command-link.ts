import { existsSync, lstatSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigSchema } from '../../config.ts';
import { changed, found, type Step, type StepResult } from './step.ts';

const LINK = '/usr/local/bin/mullion';

/** Makes `mullion` a command of the shell, for an installation in the usual places only. */
export const commandLinkStep: Step = {
  name: 'command',
  run: async ({ root, config }) => {
    const launcher = join(root, 'mullion');
    if (config.stateDirectory !== ConfigSchema.parse({}).stateDirectory) {
      return found(`not linked, since the state lies in ${config.stateDirectory}: type ${launcher}`);
    }
    return linkTo(launcher, LINK);
  },
};

/** Makes the link, or mends one that leads to nothing, as after its checkout was moved. */
export function linkTo(launcher: string, link: string): StepResult {
  const present = linkTarget(link);
  if (present === launcher) return found(`${link} leads here`);
  const dangles = present !== undefined && !existsSync(link);
  if (present !== undefined && !dangles) {
    return found(`${link} leads elsewhere and is left alone: type ${launcher}`);
  }
  const next = `${link}.new`;
  rmSync(next, { force: true });
  symlinkSync(launcher, next);
  renameSync(next, link);
  return changed(dangles ? `linked ${link}, which led to nothing` : `linked ${link}`);
}

/** Where a link leads; its own path when it is another kind of file; undefined when there is nothing. */
function linkTarget(path: string): string | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  return stat.isSymbolicLink() ? readlinkSync(path) : path;
}
