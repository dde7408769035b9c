import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../support/command.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { type Ground, mustRun } from './neighbours.ts';

/** Two containers of one kind: who answers, and who disturbs. */
export interface Pair extends AsyncDisposable {
  readonly kind: string;
  readonly isLimited: boolean;
  /** Where the victim is reached. */
  readonly host: string;
  /** Runs a shell line in one of them, whatever its end. */
  run(name: 'victim' | 'attacker', script: string): Promise<void>;
}

const NAMES = ['victim', 'attacker'] as const;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export async function mullionPair(daemon: TestDaemon): Promise<Pair> {
  for (const name of NAMES) await daemon.ok(['launch', 'debian/12', name, '--technique', 'os']);
  const { addresses } = await daemon.client.call('vps.info', { params: { name: 'victim' } });
  return {
    kind: 'mullion, technique os',
    isLimited: true,
    host: addresses[0] ?? '',
    run: async (name, script) => {
      await daemon.cli(['exec', name, '--', 'sh', '-c', script]);
    },
    [Symbol.asyncDispose]: async () => {
      await daemon.ok(['delete', ...NAMES, '--force']);
    },
  };
}

/** How another tool starts a container that only waits, runs a program in it, and ends it. */
interface Tool {
  readonly kind: string;
  start(name: string, root: string): Promise<void>;
  exec(name: string): readonly string[];
  stop(name: string): readonly string[];
}

/** Containers as each tool makes them when nothing is said of limits, in the network of the benchmark. */
export async function otherPairs(ground: Ground): Promise<readonly (() => Promise<Pair>)[]> {
  const runRoot = mkdtempSync('/run/mullion-bench-');
  const podman = [
    ...[...ground.enter, 'podman', '--root', join(ground.folder, 'noise-podman'), '--runroot', runRoot],
    ...['--cgroup-manager', 'cgroupfs'],
  ];
  const crun = [...ground.enter, 'crun', '--root', join(ground.folder, 'noise-crun')];
  const lxc = join(ground.folder, 'noise-lxc');
  const tools: readonly Tool[] = [
    {
      kind: 'crun, as it comes',
      start: async (name, root) => {
        const bundle = join(ground.folder, `noise-${name}`);
        mkdirSync(bundle, { recursive: true });
        await mustRun(['crun', 'spec', '--bundle', bundle]);
        await mustRun([...crun, 'run', '--detach', '--bundle', writeWaiting(bundle, root), name]);
      },
      exec: (name) => [...crun, 'exec', name],
      stop: (name) => [...crun, 'delete', '--force', name],
    },
    {
      kind: 'podman, as it comes',
      start: async (name, root) => {
        const flags = [
          '--detach',
          '--network',
          'host',
          '--ulimit',
          'nofile=1024:1024',
          '--ulimit',
          'nproc=1024:1024',
        ];
        await mustRun([...podman, 'run', ...flags, '--name', name, '--rootfs', root, '/bin/sleep', '3600']);
      },
      exec: (name) => [...podman, 'exec', name],
      stop: (name) => [...podman, 'rm', '--force', '--time', '0', name],
    },
    {
      kind: 'lxc, as it comes',
      start: async (name, root) => {
        mkdirSync(join(lxc, name), { recursive: true });
        const config = [
          ...[`lxc.uts.name = ${name}`, `lxc.rootfs.path = dir:${root}`, 'lxc.net.0.type = none'],
          ...['lxc.init.cmd = /bin/sleep 3600', 'lxc.mount.auto = proc:mixed sys:ro', ''],
        ];
        writeFileSync(join(lxc, name, 'config'), config.join('\n'));
        await mustRun(['lxc-start', '-P', lxc, '-n', name]);
      },
      exec: (name) => ['lxc-attach', '-P', lxc, '-n', name, '--clear-env', `--set-var=PATH=${PATH}`, '--'],
      stop: (name) => ['lxc-stop', '-P', lxc, '-n', name, '--kill'],
    },
  ];
  return tools.map((tool) => () => openPair(tool, ground));
}

async function openPair(tool: Tool, { rootfs, folder }: Ground): Promise<Pair> {
  await using cleanup = new AsyncDisposableStack();
  for (const name of NAMES) {
    const tree = mkdtempSync(join(folder, `${name}-`));
    const root = join(tree, 'root');
    for (const part of ['upper', 'work', 'root']) mkdirSync(join(tree, part));
    cleanup.defer(() => rmSync(tree, { recursive: true, force: true }));
    const layers = `lowerdir=${rootfs},upperdir=${join(tree, 'upper')},workdir=${join(tree, 'work')}`;
    await mustRun(['mount', '-t', 'overlay', 'overlay', '-o', layers, root]);
    cleanup.defer(() => mustRun(['umount', '--lazy', root]));
    for (const file of ['hosts', 'resolv.conf']) copyFileSync(`/etc/${file}`, join(root, 'etc', file));
    await tool.start(name, root);
    cleanup.defer(async () => {
      await runCommand(tool.stop(name));
    });
  }
  const owned = cleanup.move();
  return {
    kind: tool.kind,
    isLimited: false,
    host: '127.0.0.1',
    run: async (name, script) => {
      await runCommand([...tool.exec(name), 'sh', '-c', script]);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Has crun's own configuration wait, in the network that it is started in. */
function writeWaiting(bundle: string, root: string): string {
  const path = join(bundle, 'config.json');
  const config: { linux: { namespaces: { type: string }[] } } & Record<string, unknown> = JSON.parse(
    readFileSync(path, 'utf8'),
  );
  const namespaces = config.linux.namespaces.filter(({ type }) => type !== 'network');
  const own = {
    ...config,
    root: { path: root, readonly: false },
    process: { ...Object(config.process), terminal: false, args: ['/bin/sleep', '3600'] },
    linux: { ...config.linux, namespaces },
  };
  writeFileSync(path, JSON.stringify(own));
  return bundle;
}
