import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MullionError } from '../contract/errors.ts';
import { type MountEntry, mountsUnder } from './mounts.ts';

export interface CgroupLayout {
  /** hybrid: controllers on v1 and a cgroup2 tree beside them. */
  readonly layout: 'v1' | 'v2' | 'hybrid';
  /** Mount point of the hierarchy of each controller; a named v1 hierarchy is `name=...`. */
  readonly controllers: Readonly<Record<string, string>>;
  /** Mount point of the cgroup2 tree. */
  readonly unified: string | undefined;
}

/** @throws MullionError `host_unfit` when no hierarchy is mounted */
export function detectCgroups(): CgroupLayout {
  return planLayout(mountsUnder('/sys/fs/cgroup'), (unified) => {
    const file = join(unified, 'cgroup.controllers');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ').filter(Boolean) : [];
  });
}

/** Mount options of a v1 hierarchy that name no controller (cgroups(7), "Mounting v1 controllers"). */
const NO_CONTROLLER =
  /^(rw|ro|nosuid|nodev|noexec|relatime|noatime|nodiratime|strictatime|xattr|noprefix|clone_children|release_agent=.*|cpuset_v2_mode|favordynmods|memory_.*|seclabel)$/;

export function planLayout(
  mounts: readonly MountEntry[],
  controllersOf: (unified: string) => readonly string[],
): CgroupLayout {
  const controllers: Record<string, string> = {};
  for (const { target, fstype, options } of mounts) {
    if (fstype !== 'cgroup') continue;
    for (const option of options) {
      if (!NO_CONTROLLER.test(option)) controllers[option] ??= target;
    }
  }
  const hasV1 = Object.keys(controllers).length > 0;
  const unified = mounts.find(({ fstype }) => fstype === 'cgroup2')?.target;
  if (unified === undefined && !hasV1) {
    throw new MullionError('host_unfit', 'No cgroup hierarchy is mounted below /sys/fs/cgroup.', {
      remedy: 'Mount one: mount -t cgroup2 cgroup2 /sys/fs/cgroup',
    });
  }
  if (unified !== undefined) {
    for (const controller of controllersOf(unified)) controllers[controller] ??= unified;
  }
  const layout = unified === undefined ? 'v1' : hasV1 ? 'hybrid' : 'v2';
  return { layout, controllers, unified };
}

/** Every mount point once. */
export const hierarchyRoots = ({ controllers, unified }: CgroupLayout): string[] => [
  ...new Set([...Object.values(controllers), ...(unified === undefined ? [] : [unified])]),
];
