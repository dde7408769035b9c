import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { commandEnvironment } from './run.ts';

/** Whether `run` would find this program. */
export const hasProgram = (name: string): boolean =>
  (commandEnvironment().PATH ?? '').split(':').some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
