import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../support/command.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/scratch.ts';
import { LOW_LIMITS, mustRun, openEntrance } from './neighbours.ts';

/** Two containers of one kind: who answers, and who disturbs. */
export interface Pair extends AsyncDisposable {
  readonly kind: string;
  /** Where the victim is reached. */
  readonly host: string;
  /** Sets limits of the attacker; absent where it has none. */
  limit?(limits: Readonly<Record<string, string>>): Promise<void>;
  /** Waits until neither has anything left to do from its boot. */
  settle?(): Promise<void>;
  /** Runs a shell line in one of them, whatever its end. */
  run(name: 'victim' | 'attacker', script: string): Promise<void>;
}

const NAMES = ['victim', 'attacker'] as const;
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The last thing that a server's first boot does. */
const HAS_KEYS = 'test -e /var/lib/mullion/host-keys-$(cat /etc/machine-id)';

export async function mullionPair(daemon: TestDaemon): Promise<Pair> {
  for (const name of NAMES) await daemon.ok(['launch', 'debian/12', name, '--technique', 'os']);
  const { addresses } = await daemon.client.call('vps.info', { params: { name: 'victim' } });
  return {
    kind: 'mullion, technique os',
    host: addresses[0] ?? '',
    limit: async (limits) => {
      await daemon.ok(['set', 'attacker', ...Object.entries(limits).map((entry) => entry.join('='))]);
    },
    settle: async () => {
      for (const name of NAMES) {
        const hasKeys = async () => (await daemon.cli(['exec', name, '--', 'sh', '-c', HAS_KEYS])).code === 0;
        await eventually(`${name} has done its first boot`, hasKeys, 60_000);
      }
    },
    run: async (name, script) => {
      await daemon.cli(['exec', name, '--', 'sh', '-c', script]);
    },
    [Symbol.asyncDispose]: async () => {
      await daemon.ok(['delete', ...NAMES, '--force']);
    },
  };
}

/** What it leaves running must not hold the pipes of who waits for it. */
const inBackground = (argv: readonly string[]): string[] => [
  ...['sh', '-c', 'exec "$@" >/dev/null 2>&1', 'sh'],
  ...argv,
];

/** How another tool starts a container that only waits, runs a program in it, and ends it. */
interface Tool {
  readonly kind: string;
  start(name: string, root: string): Promise<void>;
  exec(name: string): readonly string[];
  stop(name: string): readonly string[];
  /** A folder outside the benchmark's own that it fills. */
  readonly runRoot?: string;
}

/** Containers as each tool makes them when nothing is said of limits, in the network of the benchmark. */
const TOOLS: readonly ((folder: string, enter: readonly string[]) => Tool)[] = [
  (folder, enter) => {
    const crun = [...enter, 'crun', '--root', join(folder, 'crun')];
    return {
      kind: 'crun, as it comes',
      start: async (name, root) => {
        const bundle = join(folder, `bundle-${name}`);
        mkdirSync(bundle, { recursive: true });
        await mustRun(['crun', 'spec', '--bundle', bundle]);
        writeWaiting(bundle, root);
        await mustRun(inBackground([...crun, 'run', '--detach', '--bundle', bundle, name]));
      },
      exec: (name) => [...crun, 'exec', name],
      stop: (name) => [...crun, 'delete', '--force', name],
    };
  },
  (folder, enter) => {
    // podman refuses a run folder whose path is longer than 50 characters.
    const runRoot = `/run/mullion-noise-${process.pid}`;
    const store = ['--root', join(folder, 'podman'), '--runroot', runRoot, '--cgroup-manager', 'cgroupfs'];
    const podman = [...enter, 'podman', ...store];
    const flags = ['--detach', '--network', 'host', ...LOW_LIMITS];
    return {
      kind: 'podman, as it comes',
      runRoot,
      start: (name, root) =>
        mustRun(
          inBackground([...podman, 'run', ...flags, '--name', name, '--rootfs', root, '/bin/sleep', '3600']),
        ),
      exec: (name) => [...podman, 'exec', name],
      stop: (name) => [...podman, 'rm', '--force', '--time', '0', name],
    };
  },
  (folder) => {
    const path = join(folder, 'lxc');
    return {
      kind: 'lxc, as it comes',
      start: (name, root) => {
        mkdirSync(join(path, name), { recursive: true });
        const config = [
          ...[`lxc.uts.name = ${name}`, `lxc.rootfs.path = dir:${root}`, 'lxc.net.0.type = none'],
          ...['lxc.init.cmd = /bin/sleep 3600', 'lxc.mount.auto = proc:mixed sys:ro', ''],
        ];
        writeFileSync(join(path, name, 'config'), config.join('\n'));
        return mustRun(inBackground(['lxc-start', '-P', path, '-n', name]));
      },
      exec: (name) => ['lxc-attach', '-P', path, '-n', name, '--clear-env', `--set-var=PATH=${PATH}`, '--'],
      stop: (name) => ['lxc-stop', '-P', path, '-n', name, '--kill'],
    };
  },
];

export const otherPairs = (rootfs: string, folder: string): (() => Promise<Pair>)[] =>
  TOOLS.map((tool) => () => openPair(tool, rootfs, folder));

async function openPair(make: (typeof TOOLS)[number], rootfs: string, folder: string): Promise<Pair> {
  await using cleanup = new AsyncDisposableStack();
  const roots = new Map<(typeof NAMES)[number], string>();
  for (const name of NAMES) {
    const tree = mkdtempSync(join(folder, `${name}-`));
    const root = join(tree, 'root');
    for (const part of ['upper', 'work', 'root']) mkdirSync(join(tree, part));
    cleanup.defer(() => rmSync(tree, { recursive: true, force: true }));
    const layers = `lowerdir=${rootfs},upperdir=${join(tree, 'upper')},workdir=${join(tree, 'work')}`;
    await mustRun(['mount', '-t', 'overlay', 'overlay', '-o', layers, root]);
    cleanup.defer(() => mustRun(['umount', '--lazy', root]));
    roots.set(name, root);
  }
  // It shows what is mounted now.
  const { enter } = cleanup.use(await openEntrance());
  const tool = make(folder, enter);
  const { runRoot } = tool;
  if (runRoot !== undefined) cleanup.defer(() => rmSync(runRoot, { recursive: true, force: true }));
  for (const [name, root] of roots) {
    cleanup.defer(async () => {
      await runCommand(tool.stop(name));
    });
    await tool.start(name, root);
  }
  const owned = cleanup.move();
  return {
    kind: tool.kind,
    host: '127.0.0.1',
    run: async (name, script) => {
      await runCommand([...tool.exec(name), 'sh', '-c', script]);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Has crun's own configuration wait, in the network that it is started in. */
function writeWaiting(bundle: string, root: string): void {
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
}
