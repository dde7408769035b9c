import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { detectCgroups } from '../../src/host/cgroup-layout.ts';
import { unmount } from '../../src/host/mounts.ts';
import { runCommand } from '../support/command.ts';
import { mountMemory } from '../support/memory-folder.ts';
import { type Subject, timed } from './measure.ts';

/** A root file system that all compared tools share, read-only. */
export interface Ground {
  readonly rootfs: string;
  readonly folder: string;
  /** Put before crun and podman: see `openEntrance`. */
  readonly enter: readonly string[];
}

export async function mustRun(argv: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await runCommand(argv);
  if (code !== 0) throw new Error(`${argv.join(' ')}: exit ${code}\n${stdout}${stderr}`);
}

/**
 * crun refuses a hybrid cgroup layout: there it, and podman above it, run in a mount namespace that hides the cgroup2
 * tree. Entering it by nsenter(1) is part of the time.
 */
export async function openEntrance(): Promise<Disposable & { readonly enter: readonly string[] }> {
  const { layout, unified } = detectCgroups();
  if (layout !== 'hybrid' || unified === undefined) return { enter: [], [Symbol.dispose]: () => undefined };
  const holder = await hidingNamespace(unified);
  return {
    enter: ['nsenter', `--mount=/proc/${holder.pid}/ns/mnt`],
    [Symbol.dispose]: () => void holder.kill('SIGKILL'),
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

/** Where crun keeps what it knows of its containers. */
export const crunState = (folder: string): string => join(folder, 'crun');

/** `crun run` of a prepared bundle: all namespaces, /bin/true, from the image's own root file system. */
export async function bareCrun({ rootfs, folder, enter }: Ground): Promise<Subject> {
  const bundle = join(folder, 'bundle');
  mkdirSync(bundle, { recursive: true });
  await mustRun(['crun', 'spec', '--bundle', bundle]);
  const path = join(bundle, 'config.json');
  const config: Record<string, unknown> = JSON.parse(readFileSync(path, 'utf8'));
  config.root = { path: rootfs, readonly: true };
  config.process = { ...Object(config.process), terminal: false, args: ['/bin/true'] };
  writeFileSync(path, JSON.stringify(config));
  const base = [...enter, 'crun', '--root', crunState(folder), 'run', '--bundle', bundle];
  return {
    name: 'crun run (prepared bundle)',
    run: (round) => timed(() => mustRun([...base, `bench-${round}`])),
  };
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

/** Lower than any host's own, so that no capability is needed to set them. */
export const LOW_LIMITS = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024'] as const;

/**
 * `podman run --rootfs` of /bin/true, with podman's usual settings but without a network. podman refuses a run folder
 * whose path is longer than 50 characters; raising resource limits needs a capability that some hosts withhold.
 */
export function podmanRun(ground: Ground): Subject & Disposable {
  const runRoot = mkdtempSync('/run/mullion-bench-');
  mountMemory(runRoot);
  const store = ['--root', join(ground.folder, 'podman'), '--runroot', runRoot];
  const flags = [
    '--rm',
    '--network',
    'none',
    ...LOW_LIMITS,
    '--read-only',
    '--rootfs',
    ground.rootfs,
    '/bin/true',
  ];
  const base = [...ground.enter, 'podman', ...store, '--cgroup-manager', 'cgroupfs', 'run'];
  return {
    name: 'podman run --rootfs',
    run: () => timed(() => mustRun([...base, ...flags])),
    [Symbol.dispose]: () => {
      unmount(runRoot);
      rmSync(runRoot, { recursive: true, force: true });
    },
  };
}
