import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { detectCgroups } from '../../src/host/cgroup-layout.ts';
import { runCommand } from '../support/command.ts';
import { type Subject, timed } from './measure.ts';

/** A root file system that all compared tools share, read-only. */
export interface Ground {
  readonly rootfs: string;
  readonly folder: string;
}

async function mustRun(argv: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runCommand(argv);
  if (code !== 0) throw new Error(`${argv.join(' ')}: exit ${code}\n${stdout}${stderr}`);
}

/**
 * `crun run` of a prepared bundle: all namespaces, /bin/true, from the image's own root file system.
 * crun refuses a hybrid cgroup layout, so there it runs in a mount namespace that hides the cgroup2 tree; entering it
 * by nsenter is part of the time.
 */
export async function bareCrun(ground: Ground): Promise<Subject & Disposable> {
  const bundle = join(ground.folder, 'bundle');
  mkdirSync(bundle, { recursive: true });
  await mustRun(['crun', 'spec', '--bundle', bundle]);
  const path = join(bundle, 'config.json');
  const config: Record<string, unknown> = JSON.parse(readFileSync(path, 'utf8'));
  config.root = { path: ground.rootfs, readonly: true };
  config.process = { ...Object(config.process), terminal: false, args: ['/bin/true'] };
  writeFileSync(path, JSON.stringify(config));
  const { layout, unified } = detectCgroups();
  const holder = layout === 'hybrid' && unified !== undefined ? await hidingNamespace(unified) : undefined;
  const enter = holder === undefined ? [] : ['nsenter', `--mount=/proc/${holder.pid}/ns/mnt`];
  return {
    name: 'crun run (prepared bundle)',
    run: (round) =>
      timed(() =>
        mustRun([
          ...enter,
          'crun',
          '--root',
          join(ground.folder, 'crun'),
          'run',
          '--bundle',
          bundle,
          `bench-${round}`,
        ]),
      ),
    [Symbol.dispose]: () => void holder?.kill('SIGKILL'),
  };
}

/** A process that holds a mount namespace without the controllers of the cgroup2 tree. */
function hidingNamespace(unified: string): Promise<ChildProcess> {
  const script = 'mount --bind /dev/null "$0" && echo ready && exec sleep 3600';
  const child = spawn(
    'unshare',
    ['--mount', '--propagation', 'unchanged', 'sh', '-c', script, join(unified, 'cgroup.controllers')],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  return new Promise((resolve, reject) => {
    child.stdout.once('data', () => resolve(child));
    child.once('exit', () => reject(new Error('the mount namespace could not be made')));
  });
}

/** `lxc-start` until lxc reports RUNNING; without a network, stopped again outside the time. */
export async function lxcStart(ground: Ground): Promise<Subject> {
  const path = join(ground.folder, 'lxc');
  mkdirSync(join(path, 'bench'), { recursive: true });
  const config = [
    'lxc.uts.name = bench',
    `lxc.rootfs.path = dir:${ground.rootfs}`,
    'lxc.rootfs.options = ro',
    'lxc.net.0.type = empty',
    'lxc.init.cmd = /bin/sleep 600',
    'lxc.mount.auto = proc:mixed sys:ro',
    '',
  ];
  writeFileSync(join(path, 'bench/config'), config.join('\n'));
  return {
    name: 'lxc-start',
    run: async () => {
      const milliseconds = await timed(() => mustRun(['lxc-start', '-P', path, '-n', 'bench']));
      await mustRun(['lxc-stop', '-P', path, '-n', 'bench', '--kill']);
      return milliseconds;
    },
  };
}

/** `podman run --rootfs` of /bin/true, with podman's usual settings but without a network. */
export function podmanRun(ground: Ground): Subject {
  const store = ['--root', join(ground.folder, 'podman'), '--runroot', join(ground.folder, 'podman-run')];
  const flags = ['--rm', '--network', 'none', '--read-only', '--rootfs', ground.rootfs, '/bin/true'];
  const base = ['podman', ...store, '--cgroup-manager', 'cgroupfs', 'run'];
  return { name: 'podman run --rootfs', run: () => timed(() => mustRun([...base, ...flags])) };
}
