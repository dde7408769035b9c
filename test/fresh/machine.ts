import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { detectCgroups, hierarchyRoots } from '../../src/host/cgroup-layout.ts';
import { answer } from './commands.ts';

const PARENT = '/var/tmp/mullion-fresh';
/** Variables with which programs of this machine find the network's certificates and proxies. */
const NETWORK_VARIABLE =
  /^(NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|GIT_SSL_CAINFO|CURL_CA_BUNDLE|https?_proxy|no_proxy)$/i;

/**
 * A root that runs beside this machine's own: network, mounts, processes and control groups are its own, and it
 * reaches the outside through slirp4netns(1). Leaving the scope ends and frees all of it.
 */
export class FreshMachine implements AsyncDisposable {
  readonly folder: string;
  readonly root: string;
  #children: ChildProcess[] = [];

  constructor() {
    mkdirSync(PARENT, { recursive: true });
    sweepAbandoned();
    this.folder = mkdtempSync(join(PARENT, 'machine-'));
    this.root = join(this.folder, 'root');
    mkdirSync(this.root);
    writeFileSync(join(this.folder, 'owner'), String(process.pid));
    for (const leaf of groupsOf(this.folder)) for (const path of [join(leaf, '..'), leaf]) makeGroup(path);
  }

  /** Runs a command in it, with its output shown; its exit code, or -1 when it was killed for taking too long. */
  async run(checkout: string, cache: string, argv: readonly string[], timeoutMs: number): Promise<number> {
    const groups = groupsOf(this.folder).map((path) => join(path, '..', 'cgroup.procs'));
    const enter = join(import.meta.dirname, 'enter.sh');
    // The namespace of control groups begins at the parent, and its first process lives below: the root of a tree
    // that holds processes could not hand on its controllers.
    const script = 'for g in $1; do echo 0 > "$g"; done; shift; exec "$@"';
    const intoLeaf = 'for g in $1; do echo 0 > "$g"; done; shift; exec "$@"';
    const leaves = groupsOf(this.folder).map((path) => join(path, 'cgroup.procs'));
    const machine = this.#spawn(
      [
        ...['sh', '-c', script, 'sh', groups.join(' ')],
        ...['unshare', '--cgroup', 'sh', '-c', intoLeaf, 'sh', leaves.join(' ')],
        ...['unshare', '--net', '--mount', '--uts', '--pid', '--fork', '--kill-child=SIGKILL'],
        ...['bash', enter, this.root, checkout, cache, ...argv],
      ],
      environment(),
    );
    const ended = new Promise<number>((resolve) => {
      machine.on('error', () => resolve(-1));
      machine.on('exit', (code) => resolve(code ?? -1));
    });
    const timer = setTimeout(() => machine.kill('SIGKILL'), timeoutMs);
    try {
      await hasOwnNetwork(machine);
      const options = ['--configure', '--mtu=65520', '--disable-host-loopback'];
      const outside = this.#spawn(['slirp4netns', ...options, String(machine.pid), 'tap0']);
      const code = await ended;
      outside.kill();
      return code;
    } finally {
      clearTimeout(timer);
    }
  }

  #spawn(argv: readonly string[], env = process.env): ChildProcess {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
      stdio: ['ignore', 'inherit', argv[0] === 'slirp4netns' ? 'ignore' : 'inherit'],
      env,
    });
    this.#children.push(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    }
    await sleep(500);
    discard(this.folder);
  }
}

/** The group of the machine's first process in each hierarchy; its parent is the machine's root group. */
const groupsOf = (folder: string): string[] =>
  hierarchyRoots(detectCgroups()).map((path) =>
    join(path, `mullion-${folder.slice(PARENT.length + 1)}`, 'init'),
  );

/** Version 1's cpuset takes no process before it has processors and memory (cgroups(7)). */
function makeGroup(path: string): void {
  mkdirSync(path);
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    const above = join(path, '..', file);
    if (existsSync(above)) writeFileSync(join(path, file), readFileSync(above));
  }
}

function discard(folder: string): void {
  for (const line of answer(['losetup', '--list', '--noheadings', '--output', 'NAME,BACK-FILE']).split(
    '\n',
  )) {
    if (line.includes(folder)) answer(['losetup', '--detach', line.split(' ')[0] ?? '']);
  }
  for (const leaf of groupsOf(folder)) {
    const below = globSync(`${join(leaf, '..')}/**/`).sort((a, b) => b.length - a.length);
    for (const path of below) {
      try {
        rmdirSync(path);
      } catch {
        // Its last process is not reaped yet; an empty group does no harm.
      }
    }
  }
  rmSync(folder, { recursive: true, force: true });
}

/** What a run that was killed left: its processes ended with it. */
function sweepAbandoned(): void {
  for (const path of globSync(`${PARENT}/machine-*/owner`)) {
    const pid = Number(readFileSync(path, 'utf8'));
    if (pid > 0 && answer(['ps', '-p', String(pid), '-o', 'pid=']) === '') discard(join(path, '..'));
  }
}

async function hasOwnNetwork(machine: ChildProcess): Promise<void> {
  const own = readlinkSync('/proc/self/ns/net');
  for (let tries = 0; tries < 1000; tries++) {
    if (machine.exitCode !== null) throw new Error('the machine ended at once');
    try {
      if (readlinkSync(`/proc/${machine.pid}/ns/net`) !== own) return;
    } catch {
      // It has just begun, or has just ended.
    }
    await sleep(10);
  }
  throw new Error('the machine came to no network namespace of its own');
}

/** What a command has in a fresh machine: how it reaches the network as this one does. */
export function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => NETWORK_VARIABLE.test(name));
  const npm = (['registry', 'cafile'] as const).flatMap((key) => {
    const value = answer(['npm', 'config', 'get', key]);
    return value === '' || value === 'null' ? [] : [[`npm_config_${key}`, value]];
  });
  return {
    ...Object.fromEntries([...kept, ...npm]),
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    LANG: 'C.UTF-8',
  };
}
