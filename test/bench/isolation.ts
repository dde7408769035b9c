import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KERNEL_OBJECTS } from '../../src/drivers/crun/kernel-objects.ts';
import { renderConfig } from '../../src/drivers/crun/render.ts';
import { GuestViews } from '../../src/drivers/crun/view/guest-views.ts';
import type { Handle, Machine } from '../../src/drivers/driver.ts';
import { openFilesLimit } from '../../src/host/guest-init.ts';
import { coreSize } from '../../src/host/oci/core-files.ts';
import {
  closeNamespaces,
  type GuestNamespaces,
  namespacePaths,
  UserNamespaces,
} from '../../src/host/user-namespaces.ts';
import { debianImage, NO_DEBIAN, openCrunFixture } from '../support/crun-fixture.ts';
import { NetworkWorld } from '../support/network-world.ts';
import { DIFFERENCE, isolationLaunches } from './isolation-launches.ts';
import { type Measurement, measure, type Subject, timed } from './measure.ts';
import { bareCrun, type Ground, mustRun, openEntrance } from './neighbours.ts';
import type { Comparison, Section } from './report.ts';

const SUM = 'all parts, one after the other';

export const ISOLATION_AIMS: readonly Comparison[] = [
  { what: 'what isolation adds to a launch, milliseconds', of: DIFFERENCE, atMost: 20 },
];

/** `crun run` of /bin/true with the namespaces, ids, devices, capabilities and filter of calls that a VPS has. */
function crunAsMullion(
  { rootfs, folder, enter }: Ground,
  machine: Machine,
  namespaces: UserNamespaces,
): Subject {
  const bundle = join(folder, 'isolated');
  mkdirSync(bundle, { recursive: true });
  const most = { openFiles: openFilesLimit(), coreSize: coreSize() };
  const base = [...enter, 'crun', '--root', join(folder, 'crun'), 'run', '--bundle', bundle];
  return {
    name: 'crun run with the namespaces, ids, devices and filter of a VPS',
    run: async (round) => {
      const taken = await namespaces.take(machine.ids.base, machine.ids.count, KERNEL_OBJECTS);
      const facts = {
        root: rootfs,
        init: '/bin/true',
        namespaces: namespacePaths(taken),
        architecture: process.arch,
        most,
      };
      const config = renderConfig(machine, facts);
      const plain = { ...config, process: { ...config.process, terminal: false, consoleSize: undefined } };
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(plain));
      try {
        return await timed(() => mustRun([...base, `isolated-${round}`]));
      } finally {
        closeNamespaces(taken);
      }
    },
  };
}

/** Containers that see what crun shows them. */
class NoViews extends GuestViews {
  override async give(): Promise<void> {}
}

export async function isolationSection(rounds: number): Promise<Section> {
  return {
    title: 'What isolation adds to a launch',
    notes: [
      'Launches of technique os through two daemons of the same sources, in turn: one makes VPSs as ever, the other leaves out',
      'what is there for isolation, which only this benchmark can. Both start a program that sleeps, with the same file system,',
      'ids of its files, cgroup, limits, console, network namespace and link. Left out are the user, cgroup and time namespaces,',
      'limits of kernel objects, rules of devices, capabilities, the filter of calls, what hides the host in /proc, /sys and',
      '/dev, and the rules, reserved address and name of its link. The aim is about the difference of the two medians.',
      'What both make ahead of a launch, in the pause before it, are its user namespace with its limits and its network namespace. Then the parts, each',
      'done by itself: crun with the configuration of a VPS, less crun with its own; the others in full, the user namespace',
      'with nothing made ahead. In a launch most of them run beside others or beforehand, so their sum is more.',
    ],
    measurements: [...(await isolationLaunches(rounds)), ...(await partsOfIsolation(rounds))],
  };
}

/** Each part by itself; in a launch some of them run beside others. */
async function partsOfIsolation(rounds: number): Promise<Measurement[]> {
  const image = debianImage();
  if (image?.rootfs === undefined) throw new Error(NO_DEBIAN);
  const fixture = openCrunFixture(image, 60_000, undefined, (naming) => new NoViews(naming));
  await using world = new NetworkWorld();
  const folder = join(fixture.scratch, 'isolation');
  // Root of a VPS must be able to reach it, also where crun is entered.
  const rootfs = join(folder, 'root');
  mkdirSync(rootfs, { recursive: true });
  await mustRun(['mount', '--bind', image.rootfs, rootfs]);
  using entrance = await openEntrance();
  const ground = { rootfs, folder, enter: entrance.enter };
  const bare = await bareCrun(ground);
  const namespaces = new UserNamespaces();
  const trial = await fixture.machine();
  const isolated = crunAsMullion(ground, trial, namespaces);
  const staging = join(folder, 'view');
  mkdirSync(staging);
  const lan = world.network(0);
  await world.join(lan, 'first');
  const views = new GuestViews({ runDirectory: folder });
  await views.open();
  const { driver } = fixture;
  /** In a container that has not begun. */
  const within = async (work: (handle: Handle, machine: Machine) => Promise<void>): Promise<number> => {
    const machine = await fixture.machine();
    await driver.populate(machine);
    const { handle } = await driver.prepare(machine);
    const milliseconds = await timed(() => work(handle, machine));
    views.forget(machine.id);
    await driver.remove(machine, handle);
    return milliseconds;
  };
  const hiding = (): Promise<number> =>
    within(async (handle, { id, limits }) => {
      const shown = { ...handle, id, staging, limits };
      using wardrobe = views.layOut(shown);
      await views.give(shown, wardrobe);
    });
  const bounding = async (): Promise<number> => {
    const { base, count } = trial.ids;
    let taken: GuestNamespaces | undefined;
    const milliseconds = await timed(async () => {
      taken = await namespaces.take(base, count, KERNEL_OBJECTS);
    });
    if (taken !== undefined) closeNamespaces(taken);
    return milliseconds;
  };
  const ruling = async (round: number): Promise<number> => {
    const attachment = world.plan(lan, `v${round}`);
    const milliseconds = await timed(() => world.backend.admit(attachment));
    await world.backend.detach(attachment);
    return milliseconds;
  };
  const parts: readonly Subject[] = [
    {
      name: 'other namespaces, ids, devices, capabilities and the filter of calls',
      run: async (round) => (await isolated.run(round)) - (await bare.run(round)),
    },
    { name: 'what hides the host in /proc, /sys and /dev', run: hiding },
    { name: 'its user namespace, with limits of kernel objects', run: bounding },
    { name: 'rules of its link, its address and its name', run: ruling },
  ];
  const whole: Subject = {
    name: SUM,
    run: async (round) => {
      let sum = 0;
      for (const part of parts) sum += await part.run(rounds + round);
      return sum;
    },
  };
  try {
    return await measure([...parts, whole], rounds, (round) =>
      console.log(`isolation: round ${round + 1} of ${rounds}`),
    );
  } finally {
    await mustRun(['umount', rootfs]);
    namespaces.close();
    await views.remove();
    await fixture.close();
  }
}
