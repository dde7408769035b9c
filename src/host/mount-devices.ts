import { readFileSync } from 'node:fs';

/** What is mounted at one place of a process's own tree, as the kernel writes it. */
export interface MountedDevice {
  readonly target: string;
  /** `major:minor`, of this mount's file system alone. */
  readonly device: string;
  readonly fstype: string;
}

/** All of them, hidden ones included, without a look into the tree itself (proc(5), /proc/pid/mountinfo). */
export const mountedDevices = (pid: number | 'self'): MountedDevice[] =>
  readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, , device, , target] = line.split(' ', 5);
      const fstype = / - (\S+) /.exec(line)?.[1];
      return device === undefined || target === undefined || fstype === undefined
        ? []
        : [{ target, device, fstype }];
    });
