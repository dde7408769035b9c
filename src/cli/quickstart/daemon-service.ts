import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../client/client.ts';
import { MullionError } from '../../contract/error-table.ts';
import type { ServerInfo } from '../../contract/resources.ts';
import { daemonLog, socketPath } from '../../core/naming.ts';
import { hostFacts } from '../../host/facts.ts';
import { groupId } from '../../host/groups.ts';
import { commandEnvironment, spawnCommand } from '../../host/run.ts';
import { endDaemon } from '../daemon/end-daemon.ts';
import { GROUP } from './group.ts';
import { changed, found, type Setup, type Step } from './step.ts';

const UNIT = '/etc/systemd/system/mullion.service';
/** An emulated host takes more than a minute. */
const READY_MS = 180_000;
type ServiceSetup = Pick<Setup, 'root' | 'environment' | 'naming' | 'client' | 'run'>;

/**
 * Has the daemon run, and run from this checkout as it is now: as a systemd unit where systemd runs, else as a detached
 * process with a pid file.
 */
export const daemonStep: Step = {
  name: 'daemon',
  run: async (setup) => {
    const running = await answering(setup.client);
    const stale = running === undefined ? undefined : staleness(setup, running);
    if (running !== undefined && stale === undefined) {
      return found(`answers, pid ${running.pid}, version ${running.version}`);
    }
    if (running !== undefined) await endDaemon(setup.run, running.pid);
    const { info, how } = await startDaemon(setup);
    return stale === undefined
      ? changed(`started ${how}, pid ${info.pid}`)
      : changed(`started anew ${how}, as ${stale}; VPSs go on; pid ${info.pid}`);
  },
};

/** Why the daemon that runs must be another; undefined when it need not. */
function staleness(
  { root, build, client, environment, naming }: Setup,
  running: ServerInfo,
): string | undefined {
  if (!client.address.startsWith('/')) return undefined;
  if (running.build !== build) return 'another build of it ran';
  const group = groupId(GROUP);
  const socket = statSync(socketPath(naming), { throwIfNoEntry: false });
  if (group !== undefined && socket !== undefined && socket.gid !== group) {
    return `it began before the group ${GROUP} was there`;
  }
  if (usesSystemd(environment) && existsSync(UNIT) && readFileSync(UNIT, 'utf8') !== unitFor(root)) {
    return 'its unit led elsewhere';
  }
  return undefined;
}

/** Starts the daemon and waits until it answers. @throws start_failed with the end of its log */
export async function startDaemon(setup: ServiceSetup): Promise<{ info: ServerInfo; how: string }> {
  if (usesSystemd(setup.environment)) {
    await startUnit(setup);
    return { info: await whenAnswering(setup, unitExit(setup)), how: 'as the unit mullion.service' };
  }
  const exit = spawnDetached(setup);
  return { info: await whenAnswering(setup, exit), how: 'as a detached process' };
}

/** What the daemon says of itself; undefined when none answers. @throws what else went wrong, such as forbidden */
export async function answering(client: Client): Promise<ServerInfo | undefined> {
  try {
    return await client.call('server.info');
  } catch (failure) {
    if (failure instanceof MullionError && failure.code === 'daemon_unreachable') return undefined;
    throw failure;
  }
}

/** One unit serves the usual places; an installation elsewhere has a process of its own. */
const usesSystemd = (environment: Setup['environment']): boolean =>
  hostFacts().initSystem === 'systemd' && Object.keys(relevant(environment)).length === 0;

/** The variables that the daemon shares with whoever starts it. */
export const relevant = (environment: Setup['environment']): Record<string, string> =>
  Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      name.startsWith('MULLION_') && value !== undefined ? [[name, value]] : [],
    ),
  );

export const renderUnit = (template: string, root: string): string => template.replaceAll('@ROOT@', root);

const unitFor = (root: string): string =>
  renderUnit(readFileSync(join(root, 'packaging/mullion.service'), 'utf8'), root);

async function startUnit({ root, run }: ServiceSetup): Promise<void> {
  const unit = unitFor(root);
  if (!existsSync(UNIT) || readFileSync(UNIT, 'utf8') !== unit) {
    writeFileSync(UNIT, unit);
    await run(['systemctl', 'daemon-reload']);
  }
  await run(['systemctl', 'enable', '--now', 'mullion.service']);
}

/** Answers a function that tells the exit code once the process has ended. */
function spawnDetached({ root, environment, naming }: ServiceSetup): () => Promise<number | undefined> {
  const path = daemonLog(naming);
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  const log = openSync(path, 'a', 0o600);
  try {
    const child = spawnCommand([join(root, 'mullion'), 'daemon', 'run'], {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log, log],
      env: commandEnvironment(relevant(environment)),
    });
    let ended: number | undefined;
    child.on('error', () => {
      ended = -1;
    });
    child.on('exit', (code) => {
      ended = code ?? -1;
    });
    child.unref();
    return async () => ended;
  } finally {
    closeSync(log);
  }
}

/** Answers a function that tells the exit code once systemd has given the unit up; it asks once a second. */
function unitExit({ run }: ServiceSetup): () => Promise<number | undefined> {
  let asked = performance.now();
  return async () => {
    if (performance.now() - asked < 1_000) return undefined;
    asked = performance.now();
    const shown = ['--property=ActiveState', '--property=ExecMainStatus', 'mullion.service'];
    const { stdout } = await run(['systemctl', 'show', ...shown]);
    if (!/^ActiveState=failed$/m.test(stdout)) return undefined;
    return Number(/^ExecMainStatus=(\d+)$/m.exec(stdout)?.[1] ?? -1);
  };
}

async function whenAnswering(
  setup: ServiceSetup,
  exitCode: () => Promise<number | undefined>,
): Promise<ServerInfo> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const info = await answering(setup.client);
    if (info !== undefined) return info;
    const code = await exitCode();
    if (code !== undefined || performance.now() > deadline) {
      const path = daemonLog(setup.naming);
      const log = existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').slice(-5) : [];
      const why = lastAfter(log, 'error: ') ?? log.at(-1) ?? 'it wrote no log';
      const advice = lastAfter(log, '  what to do: ');
      const readLog = `Read its log: ${path}, or journalctl -u mullion`;
      throw new MullionError(
        'start_failed',
        code === undefined
          ? `The daemon did not answer within ${READY_MS / 1000} s.`
          : `The daemon ended with exit code ${code}: ${why}`,
        {
          remedy: code === undefined || advice === undefined ? readLog : `${advice}. ${readLog}`,
          details: { log },
        },
      );
    }
    await sleep(50);
  }
}

/** The rest of the last line that begins so. */
const lastAfter = (lines: readonly string[], beginning: string): string | undefined =>
  lines.findLast((line) => line.startsWith(beginning))?.slice(beginning.length);
