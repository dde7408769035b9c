import { join } from 'node:path';
import type { CgroupLayout } from '../cgroup-layout.ts';
import { programPath } from '../programs.ts';

const CONMON = 'conmon';
/** Bytes of a console's log; conmon then begins anew, so that no guest fills the host. */
export const LOG_LIMIT = 4 * 1024 * 1024;

/** What must stand before `crun create`: it enters a time and a mount namespace at these paths, unless they are undefined. */
export function createPrefix(clocks: string | undefined, mounts: string | undefined): string[] {
  if (clocks === undefined && mounts === undefined) return [];
  return [
    ...['nsenter', '--no-fork'],
    ...(mounts === undefined ? [] : [`--mount=${mounts}`]),
    ...(clocks === undefined ? [] : [`--time=${clocks}`]),
  ];
}

/**
 * The file that must look empty, if any: crun refuses hierarchies of version 1 beside a cgroup2 tree that has controllers of
 * its own. Only create looks.
 */
export function hiddenFromCreate({ layout, controllers, unified }: CgroupLayout): string | undefined {
  if (layout !== 'hybrid' || unified === undefined) return undefined;
  return Object.values(controllers).includes(unified) ? join(unified, 'cgroup.controllers') : undefined;
}

/** crun(1) as it is called. */
export interface Crun {
  readonly program: string;
  /** Where it keeps what it knows of its containers. */
  readonly stateDirectory: string;
}

export const crunArgv = ({ program, stateDirectory }: Crun, ...rest: readonly string[]): string[] => [
  program,
  '--root',
  stateDirectory,
  ...rest,
];

export interface MonitorOptions {
  /** For people and logs. */
  readonly name: string;
  /** What the console shows is kept here, in the format k8s-file. */
  readonly log: string;
  /** An existing folder; the exit code becomes the file of the container's id in it. */
  readonly exitDirectory: string;
  /** Where the monitor's own pid is written. */
  readonly pidFile: string;
}

export interface MonitoredContainer {
  readonly id: string;
  readonly bundle: string;
  readonly pidFile: string;
  readonly monitor: MonitorOptions;
}

/**
 * conmon(8) that makes a container with a terminal and stays its parent. Only the runtime itself enters the private
 * mount namespace of `prefix`: a monitor that lived in one would hold every mount that the host had at that time.
 */
export function monitorArgv(
  crun: Crun,
  prefix: readonly string[],
  { id, bundle, pidFile, monitor }: MonitoredContainer,
  extraFds = 0,
): string[] {
  const [runtime = crun.program, ...runtimeArguments] = [...prefix, ...crunArgv(crun)];
  return [
    CONMON,
    ...['--api-version', '1'],
    ...['--cid', id, '--cuuid', id, '--name', monitor.name],
    ...['--runtime', programPath(runtime) ?? runtime],
    ...runtimeArguments.flatMap((argument) => ['--runtime-arg', argument]),
    ...(extraFds === 0 ? [] : ['--runtime-opt', '--preserve-fds', '--runtime-opt', String(extraFds)]),
    ...['--bundle', bundle, '--container-pidfile', pidFile, '--conmon-pidfile', monitor.pidFile],
    ...['--exit-dir', monitor.exitDirectory, '--persist-dir', bundle],
    ...['--log-path', `k8s-file:${monitor.log}`, '--log-size-max', String(LOG_LIMIT)],
    ...['--no-sync-log', '--full-attach', '--terminal'],
  ];
}

export interface ExecOptions {
  /** File with the process of the OCI runtime specification. */
  readonly process: string;
  /** Where the command's pid on the host is written. */
  readonly pidFile: string;
  /** Where crun's own complaints are written, besides on standard error. */
  readonly log: string;
  /** Of a container with clocks of its own, which the command shares. */
  readonly containerPid: number | undefined;
}

/**
 * Clocks of a container of its own. crun knows it by the time at which its process started, as these tell it (crun 1.8,
 * "process-start-time"), and does not enter them by itself.
 */
export const withClocksOf = (pid: number | undefined): string[] =>
  pid === undefined ? [] : ['nsenter', '--no-fork', `--time=/proc/${pid}/ns/time`];

/**
 * A command gets an ordinary chance to be killed when memory runs out: crun leaves it the caller's (crun 1.8), and the
 * daemon's is so low that the guest's first program would go before it.
 */
export const execArgv = (crun: Crun, id: string, options: ExecOptions): string[] => [
  ...['choom', '--adjust', '0', '--'],
  ...withClocksOf(options.containerPid),
  ...crunArgv(crun, '--log', options.log),
  ...['exec', '--process', options.process, '--pid-file', options.pidFile, id],
];

/** Runs `argv` with its standard input as the controlling terminal of a session of its own. */
export const inTerminalSession = (argv: readonly string[]): string[] => ['setsid', '--ctty', ...argv];
