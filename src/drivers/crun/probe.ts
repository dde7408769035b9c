import { existsSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { asMullionError } from '../../contract/errors.ts';
import { NO_RATES } from '../../contract/rates.ts';
import { MIB } from '../../contract/sizes.ts';
import { TECHNIQUE_FACTS, type TechniqueReport } from '../../contract/techniques.ts';
import { type Naming, SLOTS, UID_COUNT, uidBase, vpsCgroup } from '../../core/naming.ts';
import { hostFacts } from '../../host/facts.ts';
import { openFilesLimit } from '../../host/guest-init.ts';
import { coreSize } from '../../host/oci/core-files.ts';
import { processStart, waitForExit } from '../../host/processes.ts';
import { programPath } from '../../host/programs.ts';
import { run } from '../../host/run.ts';
import { closeNamespaces, namespacePaths, type UserNamespaces } from '../../host/user-namespaces.ts';
import type { Machine } from '../driver.ts';
import { FEATURES } from './features.ts';
import { KERNEL_OBJECTS } from './kernel-objects.ts';
import { type RenderFacts, renderConfig } from './render.ts';
import { mountRoot, populateRoot } from './root.ts';
import { beginTrial, removeTrial, type TrialGround, trialFolder, trialPlaces } from './trials.ts';

export interface ProbeDependencies extends TrialGround {
  readonly userNamespaces: UserNamespaces;
}

const PROGRAMS = ['crun', 'conmon', 'socat', 'unshare', 'setsid', 'choom'];
const PATIENCE_MS = 60_000;
/** The last slot: given to a VPS only when all others are taken. */
const IDS = { base: uidBase(SLOTS - 1), count: UID_COUNT };

/**
 * Runs a real container of the same making as every VPS, whose program leaves a file behind: proof of the user
 * namespace, the idmapped overlay, the cgroup and the filter at once.
 */
export async function probeContainers(dependencies: ProbeDependencies): Promise<TechniqueReport> {
  const report = (
    state: TechniqueReport['state'],
    reason: string,
    remedy: string,
    evidence: readonly string[],
  ): TechniqueReport => ({
    id: 'os',
    name: TECHNIQUE_FACTS.os.name,
    driver: 'crun',
    state,
    reason,
    evidence: [...evidence],
    remedy,
    features: state === 'healthy' ? FEATURES : {},
  });
  const missing = PROGRAMS.filter((program) => programPath(program) === undefined);
  if (missing.length > 0) {
    return report(
      'undetected',
      `These programs are not installed: ${missing.join(', ')}.`,
      'Run: mullion quickstart, which installs what is missing',
      [],
    );
  }
  const evidence = [...(await versions()), `cgroups: ${dependencies.cgroups.layout.layout}`];
  const trial = await tryContainer(dependencies);
  const all = [...evidence, ...trial.evidence];
  return trial.failure === undefined
    ? report('healthy', 'A container ran in a user namespace of its own.', '', all)
    : report('unhealthy', trial.failure.reason, trial.failure.remedy, all);
}

async function versions(): Promise<string[]> {
  const first = async (program: string): Promise<string> =>
    (await run([program, '--version'])).stdout.split('\n')[0] ?? '';
  const [crun, conmon] = await Promise.all([first('crun'), first('conmon')]);
  return [crun, conmon, `kernel ${hostFacts().kernel}`];
}

interface Trial {
  readonly evidence: readonly string[];
  readonly failure?: { readonly reason: string; readonly remedy: string };
}

/** What stage failed, in words, and what to do about it. */
const REMEDIES = {
  'user namespace': 'Allow user namespaces: sysctl user.max_user_namespaces=16384',
  'idmapped overlay':
    'Use a kernel of 5.19 or later, and a state directory on btrfs, ext4 or XFS rather than on an overlay',
  container: "Read crun's message above; cgroups must be mounted and writable, and seccomp be in the kernel",
  program: 'Read the log of the kernel: dmesg | tail',
} as const;
type Stage = keyof typeof REMEDIES;

async function tryContainer(dependencies: ProbeDependencies): Promise<Trial> {
  const { naming, cgroups, userNamespaces, runtime } = dependencies;
  const id = beginTrial();
  const folder = trialFolder(naming, id);
  const places = trialPlaces(folder);
  const machine = trialMachine(naming, folder, id);
  const evidence: string[] = [];
  let stage: Stage = 'user namespace';
  using scope = new DisposableStack();
  try {
    const userNamespace = await userNamespaces.acquire(IDS.base, IDS.count);
    evidence.push(`user namespace: ids ${IDS.base} to ${IDS.base + IDS.count - 1} mapped`);
    stage = 'idmapped overlay';
    const layers = { image: join(folder, 'image'), volume: machine.volume };
    makeTinyImage(layers.image);
    populateRoot(layers);
    mountRoot(layers, places, userNamespace);
    evidence.push('idmapped overlay: mounted and writable');
    stage = 'container';
    const ofGuest = await userNamespaces.take(IDS.base, IDS.count, KERNEL_OBJECTS);
    scope.defer(() => closeNamespaces(ofGuest));
    const config = tinyConfig(machine, places.root, namespacePaths(ofGuest));
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config), { mode: 0o600 });
    const { pid } = await runtime.create(folder, id, { pidFile: join(folder, 'pid') });
    cgroups.setLimits(machine.cgroup, machine.limits);
    const start = processStart(pid) ?? 0;
    await runtime.start(id, pid);
    evidence.push('crun: made and started a container with all namespaces, the filter and limits');
    stage = 'program';
    await waitForExit(pid, start, PATIENCE_MS);
    const { uid } = await proofOf(join(machine.volume, 'upper', 'proof'));
    if (uid !== 0) throw new Error(`the file that the program made belongs to id ${uid} instead of 0`);
    evidence.push('program: wrote a file that belongs to id 0 of its volume');
    return { evidence };
  } catch (failure) {
    const { message, details } = asMullionError(failure);
    const output =
      typeof details.output === 'string' && details.output !== '' ? ` (${details.output.trim()})` : '';
    evidence.push(`${stage}: ${message}${output}`);
    return {
      evidence,
      failure: { reason: `A trial container failed at its ${stage}: ${message}`, remedy: REMEDIES[stage] },
    };
  } finally {
    await removeTrial(dependencies, id);
  }
}

async function proofOf(path: string): Promise<{ uid: number }> {
  const deadline = performance.now() + 200;
  while (!existsSync(path)) {
    if (performance.now() > deadline) throw new Error('the program ended without writing its file');
    await sleep(5);
  }
  return lstatSync(path);
}

/** The host's own programs, seen read-only in an otherwise empty tree. */
function makeTinyImage(image: string): void {
  for (const name of ['proc', 'sys', 'dev', 'run', 'usr']) mkdirSync(join(image, name), { recursive: true });
  for (const name of ['bin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(image, name));
}

function tinyConfig(machine: Machine, root: string, namespaces: RenderFacts['namespaces']) {
  const most = { openFiles: openFilesLimit(), coreSize: coreSize() };
  const facts = { root, init: '/bin/touch', namespaces, architecture: process.arch, most };
  const config = renderConfig(machine, facts);
  return {
    ...config,
    process: { ...config.process, terminal: false, args: ['/bin/touch', '/proof'] },
    mounts: [
      ...config.mounts,
      { type: 'bind', source: '/usr', destination: '/usr', options: ['bind', 'ro', 'nosuid', 'nodev'] },
    ],
  };
}

const trialMachine = (naming: Naming, folder: string, id: string): Machine => ({
  id,
  name: 'probe',
  project: 'default',
  technique: 'os',
  limits: { cpus: 1, memory: 64 * MIB, disk: 0, pids: 32, ...NO_RATES },
  ids: IDS,
  volume: join(folder, 'volume'),
  image: { id: 'probe', rootfs: join(folder, 'image') },
  runDirectory: folder,
  logDirectory: folder,
  cgroup: vpsCgroup(naming, id),
  nics: [],
  machineId: '0'.repeat(32),
  env: {},
  sshKeys: [],
});
