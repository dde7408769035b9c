import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { NO_RATES } from '../../src/contract/rates.ts';
import {
  cgroupRoot,
  createNaming,
  type Naming,
  vpsCgroup,
  vpsLogDirectory,
  vpsRunDirectory,
} from '../../src/core/naming.ts';
import { createCrunDriver } from '../../src/drivers/crun/driver.ts';
import type { Processors } from '../../src/drivers/crun/processor-keeper.ts';
import { GuestViews } from '../../src/drivers/crun/view/guest-views.ts';
import type { Driver, ImageFiles, Machine } from '../../src/drivers/driver.ts';
import { Cgroups } from '../../src/host/cgroups.ts';
import { run } from '../../src/host/run.ts';
import { UserNamespaces } from '../../src/host/user-namespaces.ts';
import type { DriverFixture } from '../conformance/drivers.ts';
import { scratchDirectory } from './scratch.ts';
import { TEST_IMAGE } from './test-image.ts';

const IDS = 0x7f00_0000;
const BUSYBOX = '/bin/busybox';

/** A whole operating system, with systemd. */
const IMAGE = join(TEST_IMAGE, 'rootfs');
export const debianImage = (): ImageFiles | undefined =>
  existsSync(join(IMAGE, 'usr/lib/systemd/systemd')) ? { id: 'debian12', rootfs: IMAGE } : undefined;
export const NO_DEBIAN = `no root file system in ${IMAGE}: run npm test, which builds it, or set MULLION_TEST_IMAGE`;

/** The first program of the small image: it lives until it is asked to end, and shows what it gets. */
const INIT = `#!/bin/sh
trap 'echo asked to end; exit 0' TERM USR2
echo up
while :; do sleep 3600 & wait $!; done
`;

/** An image of one program, busybox, which starts in milliseconds. Undefined where the host has no static one. */
export async function smallImage(folder: string): Promise<ImageFiles | undefined> {
  if (!existsSync(BUSYBOX)) return undefined;
  const { stdout, stderr } = await run(['ldd', BUSYBOX], { okCodes: [0, 1] });
  if (!/not a dynamic executable|statically linked/.test(stdout + stderr)) return undefined;
  for (const name of ['bin', 'sbin', 'etc', 'proc', 'sys', 'dev', 'run', 'tmp', 'root', 'var/lib']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  copyFileSync(BUSYBOX, join(folder, 'bin/busybox'));
  chmodSync(join(folder, 'bin/busybox'), 0o755);
  const { stdout: applets } = await run([BUSYBOX, '--list']);
  for (const applet of applets.trim().split('\n')) {
    if (applet !== 'busybox' && applet !== 'init') symlinkSync('busybox', join(folder, 'bin', applet));
  }
  writeFileSync(join(folder, 'sbin/init'), INIT, { mode: 0o755 });
  writeFileSync(join(folder, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/tmp:/bin/sh\n');
  writeFileSync(join(folder, 'etc/group'), 'root:x:0:\nweb:x:34:\nextra:x:44:web\n');
  return { id: 'small', rootfs: folder };
}
export const NO_BUSYBOX = 'no statically linked busybox: install the package busybox-static';

export interface CrunFixture extends DriverFixture {
  readonly cgroups: Cgroups;
  readonly naming: Naming;
  readonly scratch: string;
  /** Ends what counts for all containers of the fixture; the next container starts it again. */
  stopCounting(): Promise<void>;
}

/** A driver of containers with folders, cgroups and ids of its own. */
export function openCrunFixture(
  image: ImageFiles,
  ready: number,
  scratch = scratchDirectory('crun'),
  viewsOf = (naming: Naming): GuestViews => new GuestViews(naming),
  processors?: Processors,
): CrunFixture {
  const naming = createNaming(join(scratch.path, 'state'), join(scratch.path, 'run'));
  // As the daemon makes them: a container's own root passes through to its tree.
  for (const name of ['', 'state', 'run', 'run/vps', 'volumes']) {
    mkdirSync(join(scratch.path, name), { recursive: true });
    chmodSync(join(scratch.path, name), 0o711);
  }
  const cgroups = new Cgroups();
  const opened: UserNamespaces[] = [];
  const shown: GuestViews[] = [];
  const make = (): Driver => {
    const userNamespaces = new UserNamespaces();
    opened.push(userNamespaces);
    const views = viewsOf(naming);
    shown.push(views);
    const driver = createCrunDriver({ naming, cgroups, userNamespaces, views, processors });
    drivers.push(driver);
    return driver;
  };
  const drivers: Driver[] = [];
  const driver = make();
  let made = 0;
  return {
    driver,
    end: async (machine, handle, kind) => {
      if (kind === 'died') process.kill(handle.pid, 'SIGKILL');
      else {
        const argv = ['systemctl', kind, '--force', '--force'];
        (await driver.exec?.exec(machine, handle, { argv, env: {}, tty: false }))?.stdin.end();
      }
    },
    memoryOf: ({ cgroup }) => {
      const { controllers, unified } = cgroups.layout;
      const { memory = unified } = controllers;
      assert.ok(memory !== undefined, 'there is no memory controller');
      const file = memory === unified ? 'memory.max' : 'memory.limit_in_bytes';
      return Number(readFileSync(join(memory, cgroup, file), 'utf8'));
    },
    remembersEnds: true,
    technique: 'os',
    cgroups,
    naming,
    scratch: scratch.path,
    stopCounting: async () => {
      for (const views of shown) await views.remove();
    },
    machine: async (overrides: Partial<Machine> = {}): Promise<Machine> => {
      made += 1;
      const id = `c${made}`;
      const volume = join(scratch.path, 'volumes', id);
      // As a pool makes it.
      mkdirSync(volume, { recursive: true, mode: 0o700 });
      return {
        id,
        name: id,
        project: 'default',
        technique: 'os',
        limits: { cpus: 1, memory: 256 * 1024 ** 2, disk: 1024 ** 3, pids: 256, ...NO_RATES },
        ids: { base: IDS + made * 65_536, count: 65_536 },
        volume,
        image,
        runDirectory: vpsRunDirectory(naming, id),
        logDirectory: vpsLogDirectory(naming, id),
        cgroup: vpsCgroup(naming, id),
        nics: [],
        machineId: made.toString(16).padStart(32, '0'),
        env: {},
        sshKeys: [],
        ...overrides,
      };
    },
    reopen: make,
    patience: { ready, stop: 20_000 },
    close: async () => {
      for (const driver of drivers) driver.close?.();
      for (const userNamespaces of opened) userNamespaces.close();
      for (const views of shown) await views.remove();
      await cgroups.remove(cgroupRoot(naming));
      rmSync(scratch.path, { recursive: true, force: true });
    },
  };
}
