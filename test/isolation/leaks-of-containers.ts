import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NO_RATES } from '../../src/contract/rates.ts';
import { Lxcfs } from '../../src/drivers/crun/view/lxcfs.ts';
import type { ImageFiles } from '../../src/drivers/driver.ts';
import { OciRuntime } from '../../src/host/oci/runtime.ts';
import { programPath } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import { LOW_LIMITS, openEntrance } from '../bench/neighbours.ts';
import { finish } from '../conformance/drivers.ts';
import { runCommand } from '../support/command.ts';
import { openCrunFixture } from '../support/crun-fixture.ts';
import { type Facts, hostWords, leaksOf, PROBE, parseFacts, probeText } from './leak-score.ts';

const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
const MIB = 1024 ** 2;
const FEWEST_FACTS = 300;

/** How many of the facts that a container is told are its host's. */
export interface LeakScore {
  readonly kind: string;
  readonly leaks: number;
  readonly facts: number;
}

/** What it is called, and what the probe says in it. */
type Kind = readonly [string, () => Promise<string>];

const onHost = async (): Promise<Facts> => parseFacts((await run(['perl', PROBE], { env: { PATH } })).stdout);

/** Runs the probe in a container of each kind that this host has; `folder` is for their files. */
export async function leaksOfContainers(image: ImageFiles, folder: string): Promise<LeakScore[]> {
  const { rootfs } = image;
  if (rootfs === undefined) throw new Error('the image has no root file system');
  // A tree of their own, as the others write to theirs.
  const tree = join(folder, 'tree');
  await run(['cp', '-a', '--reflink=auto', rootfs, tree]);
  copyFileSync(PROBE, join(tree, 'probe.pl'));
  const kinds: readonly Kind[] = [
    ['mullion, technique os', () => inVps(image)],
    ['crun, as it comes', () => inCrun(tree, folder)],
    ...(programPath('podman') === undefined
      ? []
      : [['podman, as it comes', () => inPodman(tree, folder)] satisfies Kind]),
    ...(programPath('lxc-execute') === undefined
      ? []
      : [['lxc, with lxcfs', () => inLxc(tree, folder)] satisfies Kind]),
  ];
  const scores: LeakScore[] = [];
  for (const [kind, inside] of kinds) {
    const before = await onHost();
    const text = await inside();
    const facts = parseFacts(text);
    if (facts.size < FEWEST_FACTS) throw new Error(`${kind}: ${facts.size} facts: ${text.slice(0, 500)}`);
    scores.push({
      kind,
      leaks: leaksOf([before, await onHost()], facts, hostWords()).length,
      facts: facts.size,
    });
  }
  return scores;
}

async function inVps(image: ImageFiles): Promise<string> {
  const fixture = openCrunFixture(image, 60_000);
  const { driver } = fixture;
  const machine = await fixture.machine({
    limits: { cpus: 1, memory: 192 * MIB, disk: 1024 * MIB, pids: 200, ...NO_RATES },
  });
  try {
    await driver.populate(machine);
    const { handle } = await driver.prepare(machine);
    await driver.start(machine, handle);
    const session = await driver.exec?.exec(machine, handle, { argv: ['perl', '-'], env: {}, tty: false });
    if (session === undefined) throw new Error('the driver runs no commands');
    return (await finish(session, probeText())).stdout;
  } finally {
    await driver.remove(machine, undefined);
    await fixture.close();
  }
}

async function inCrun(tree: string, folder: string): Promise<string> {
  const bundle = join(folder, 'bundle');
  mkdirSync(bundle);
  await run(['crun', 'spec'], { cwd: bundle });
  const path = join(bundle, 'config.json');
  const config: Record<string, unknown> = JSON.parse(readFileSync(path, 'utf8'));
  const own = {
    ...config,
    root: { path: tree },
    process: { ...Object(config.process), terminal: false, args: ['perl', '/probe.pl'] },
  };
  writeFileSync(path, JSON.stringify(own));
  const child = new OciRuntime({ stateDirectory: join(folder, 'oci') }).run(bundle, 'plain', 'ignore');
  child.stderr.resume();
  let text = '';
  for await (const piece of child.stdout) text += String(piece);
  return text;
}

/** podman refuses a run folder whose path is longer than 50 characters. */
async function inPodman(tree: string, folder: string): Promise<string> {
  const runRoot = mkdtempSync('/run/mullion-leaks-');
  using entrance = await openEntrance();
  try {
    const store = ['--root', join(folder, 'podman'), '--runroot', runRoot, '--cgroup-manager', 'cgroupfs'];
    const flags = ['--rm', '--network', 'none', ...LOW_LIMITS, '--rootfs', tree];
    const argv = [...entrance.enter, 'podman', ...store, 'run', ...flags, 'perl', '/probe.pl'];
    const { stdout, stderr } = await runCommand(argv, { timeoutMs: 60_000 });
    return `${stdout}${stderr}`;
  } finally {
    rmSync(runRoot, { recursive: true, force: true });
  }
}

async function inLxc(tree: string, folder: string): Promise<string> {
  const lxcfs = new Lxcfs(folder, async () => undefined);
  await lxcfs.ensure();
  try {
    const files = ['cpuinfo', 'diskstats', 'loadavg', 'meminfo', 'stat', 'swaps', 'uptime', 'slabinfo'];
    const config = join(folder, 'lxc.conf');
    const lines = [
      'lxc.include = /usr/share/lxc/config/common.conf',
      `lxc.rootfs.path = dir:${tree}`,
      'lxc.uts.name = compared',
      'lxc.net.0.type = empty',
      'lxc.apparmor.profile = unconfined',
      'lxc.mount.auto = proc:mixed sys:ro',
      ...files.map(
        (name) => `lxc.mount.entry = ${lxcfs.folder}/proc/${name} proc/${name} none bind,optional 0 0`,
      ),
      '',
    ];
    writeFileSync(config, lines.join('\n'));
    const lxc = ['lxc-execute', '-P', folder, '-n', 'compared', '-f', config];
    const { stdout, stderr } = await runCommand([...lxc, '--', 'perl', '/probe.pl'], {
      env: { PATH },
      timeoutMs: 60_000,
    });
    return `${stdout}${stderr}`;
  } finally {
    await lxcfs.remove();
  }
}
