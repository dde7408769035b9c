import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { commandEnvironment } from './command-environment.ts';

/**
 * Where `run` would find this program, as execvp(3) looks for it: a name with a slash is its own path. Undefined when it is not
 * installed.
 */
export const programPath = (name: string): string | undefined =>
  name.includes('/') ? name : inSearchPath(name);

const inSearchPath = (name: string): string | undefined =>
  (commandEnvironment().PATH ?? '')
    .split(':')
    .map((folder) => join(folder, name))
    .find((path) => {
      if (!existsSync(path)) return false;
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });

export const hasProgram = (name: string): boolean => programPath(name) !== undefined;
