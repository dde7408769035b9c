import { randomUUID } from 'node:crypto';
import { closeSync, existsSync } from 'node:fs';
import { mkdir, readdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MullionError } from '../../contract/errors.ts';
import { releaseLoops } from '../../host/loops.ts';
import { run } from '../../host/run.ts';
import { attachLoop } from '../../host/syscalls/loop.ts';
import { startLog } from '../console/console-log.ts';
import type { Machine } from '../driver.ts';
import { runnerFile } from '../guest-agent/runner-file.ts';
import { diskFile, growDiskFile } from '../guest-disk/disk.ts';
import { renderProvision, writeInitramfs } from '../guest-disk/initramfs.ts';
import { identityFiles } from '../provision/identity.ts';
import { agentFiles } from './agent-unit.ts';
import { offerChannels } from './channels.ts';
import { serveDisk } from './disk-backend.ts';
import { listDomains } from './domains.ts';
import { nameLinks } from './guest-links.ts';
import { guestType } from './guest-type.ts';
import { machinePaths, RUN_FOLDER } from './paths.ts';
import { mebibytes, renderConfiguration } from './render.ts';
import { dropSavedMemory } from './saved-memory.ts';
import { createDomain, hypervisorInfo, restoreDomain, unpauseDomain } from './toolstack.ts';
import type { XenStore } from './xenstore.ts';

/** Memory that the hypervisor needs for a small domain besides the guest's own, measured 4 to 8 MiB. */
const OVERHEAD_MIB = 16;

export interface MadeDomain {
  readonly uuid: string;
  readonly domain: number;
}

/**
 * Makes the domain of a machine, paused before its first instruction, or where it was when its memory was saved.
 * @throws MullionError `image_unfit` without a kernel, `insufficient_cpus`, `insufficient_memory`, `start_failed` with xl's last words
 */
export async function makeDomain(
  machine: Machine,
  name: string,
  store: XenStore,
  memory: string | undefined,
): Promise<MadeDomain> {
  const { kernel } = machine.image;
  if (kernel === undefined) {
    throw new MullionError(
      'image_unfit',
      `The image ${machine.image.id} has no kernel for a virtual machine.`,
    );
  }
  const info = await hypervisorInfo();
  requireCpus(machine.limits.cpus, info.cpus);
  requireMemory(mebibytes(machine.limits.memory) + OVERHEAD_MIB, info.freeMemoryMib);
  const paths = machinePaths(machine);
  await mkdir(paths.folder, { recursive: true, mode: 0o700 });
  await mkdir(machine.logDirectory, { recursive: true, mode: 0o700 });
  await startLog(paths.consoleLog, 0);
  await growDiskFile(machine, machine.limits.disk);
  const files = [...identityFiles(machine), ...agentFiles(), runnerFile()];
  await writeInitramfs(kernel.initramfs, paths.initramfs, renderProvision(files, new Date()));
  const uuid = randomUUID();
  if (!existsSync('/dev/loop-control')) await run(['modprobe', 'loop']);
  const loop = attachLoop(diskFile(machine));
  try {
    const parts = {
      type: guestType(info.virtCaps),
      name,
      uuid,
      vmlinuz: kernel.vmlinuz,
      initramfs: paths.initramfs,
      disk: loop.device,
      hostCpus: info.cpus,
    };
    await writeFile(paths.configuration, renderConfiguration(machine, parts), { mode: 0o600 });
    await (memory === undefined
      ? createDomain(paths.configuration, name)
      : restoreMemory(machine, paths.configuration, name, memory));
    const domain = (await listDomains()).find((candidate) => candidate.uuid === uuid)?.id;
    if (domain === undefined) throw new MullionError('start_failed', 'The domain ended at once.');
    await serveDisk(store, domain, loop.device);
    await offerChannels(store, domain);
    await nameLinks(domain, machine.nics);
    return { uuid, domain };
  } finally {
    // The back end holds the device from here on, and it goes with the domain.
    closeSync(loop.fd);
  }
}

/** When the memory cannot be restored, the next start boots. */
async function restoreMemory(
  machine: Machine,
  configuration: string,
  name: string,
  memory: string,
): Promise<void> {
  try {
    await restoreDomain(configuration, name, memory);
    await writeFile(machinePaths(machine).woken, '', { mode: 0o600 });
  } catch (cause) {
    await dropSavedMemory(machine);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MullionError('start_failed', `Its memory could not be restored: ${why}`, {
      remedy: 'Start it: it boots from the data of the snapshot',
      cause,
    });
  }
}

/** Lets a prepared domain run. From then on saved memory does not fit its data any more, so that it is gone before. */
export async function letRun(machine: Machine, name: string): Promise<void> {
  await dropSavedMemory(machine);
  await writeFile(machinePaths(machine).started, '', { mode: 0o600 });
  await unpauseDomain(name);
}

function requireCpus(asked: number, present: number): void {
  if (asked <= present) return;
  throw new MullionError('insufficient_cpus', `${asked} cpus were asked for; the host has ${present}.`, {
    remedy: `Ask for at most ${present} cpus`,
    details: { asked, available: present },
  });
}

/** Memory of a Xen host is given to domains for good: domain 0's own figures tell nothing of it. */
export function requireMemory(neededMib: number, freeMib: number): void {
  if (neededMib <= freeMib) return;
  throw new MullionError(
    'insufficient_memory',
    `The VPS needs ${neededMib} MiB of the hypervisor, which has ${freeMib} MiB free.`,
    {
      remedy: 'Ask for less, stop another VPS, or give domain 0 less: dom0_mem= on the command line of Xen',
      details: { asked: neededMib, available: freeMib },
    },
  );
}

/** Forgets what a run left, and the run folder when nothing else is in it. */
export async function removeRun(machine: Machine): Promise<void> {
  const paths = machinePaths(machine);
  if (existsSync(paths.folder) && existsSync(diskFile(machine))) await releaseLoops(diskFile(machine));
  for (const path of [paths.folder, `${paths.initramfs}.new`])
    await rm(path, { recursive: true, force: true });
  // What others keep in it stays, and so does the folder then.
  await rmdir(machine.runDirectory).catch(() => undefined);
}

/** Machines of which a folder is left, also of a start that was cut short. */
export async function machinesWithRun(runDirectories: string): Promise<string[]> {
  const ids = await readdir(runDirectories).catch(() => []);
  return ids.filter((id) => existsSync(join(runDirectories, id, RUN_FOLDER)));
}
