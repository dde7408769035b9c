import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from '../../src/cli/compare/guest.ts';
import type { Commanded } from '../../src/cli/compare/measure-boot.ts';
import type { ArchiveEntry } from '../../src/drivers/archive/entry.ts';
import type { Machine } from '../../src/drivers/driver.ts';
import { AgentChannel } from '../../src/drivers/guest-agent/agent-channel.ts';
import { ping, runInGuest } from '../../src/drivers/guest-agent/agent-commands.ts';
import { diskSize, growDiskFile, populateDisk } from '../../src/drivers/guest-disk/disk.ts';
import { renderProvision, writeInitramfs } from '../../src/drivers/guest-disk/initramfs.ts';
import { randomSeed } from '../../src/drivers/provision/first-start.ts';
import { identityFiles } from '../../src/drivers/provision/identity.ts';
import * as qemu from '../../src/drivers/qemu/command-line.ts';
import { JAIL as QEMU_JAIL, machinePaths as qemuPaths, SOCKET } from '../../src/drivers/qemu/paths.ts';
import * as uml from '../../src/drivers/uml/command-line.ts';
import { LineStream } from '../../src/drivers/uml/line-stream.ts';
import { AGENT_LINE, CONSOLE_LINE, PIPE_LINES } from '../../src/drivers/uml/lines.ts';
import { linePipes, JAIL as UML_JAIL, machinePaths as umlPaths } from '../../src/drivers/uml/paths.ts';
import { preload } from '../../src/drivers/uml/preload.ts';
import { bootFiles, machineFiles } from '../../src/drivers/uml/provision.ts';
import { counterKhz } from '../../src/host/counter.ts';
import { hostFacts } from '../../src/host/facts.ts';
import { fifoStream, makeFifo, openFifo } from '../../src/host/fifo.ts';
import { openTap } from '../../src/host/tap.ts';
import { connectUnixSocket } from '../../src/host/unix-socket.ts';

const PING_MS = 5_000;
const FIRST_EXTRA_FD = 3;
const MOST_MS = 300_000;

/** A machine that nobody manages: its program as a child of this process, its agent at the end of a line. */
export class BareMachine implements Commanded, AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #agent: AgentChannel;

  constructor(child: ChildProcess, agent: AgentChannel) {
    this.#child = child;
    this.#agent = agent;
  }

  /** Until its agent has run a command. */
  answers(patienceMs = PING_MS): Promise<void> {
    return untilCommanded(this.#agent, patienceMs, () => {
      const { exitCode } = this.#child;
      return exitCode === null ? undefined : `it ended with exit code ${exitCode}`;
    });
  }

  async run([path = '', ...more]: readonly string[], timeoutMs: number): Promise<Answer> {
    const { code, stdout, stderr } = await runInGuest(this.#agent, [path, ...more], timeoutMs);
    return { code, output: stdout.toString() + stderr.toString() };
  }

  async rest(milliseconds: number): Promise<void> {
    await sleep(milliseconds);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.close();
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** Until an agent has run a command; each question waits for `patienceMs` at most. @throws Error once `whyGone` says so */
export async function untilCommanded(
  agent: AgentChannel,
  patienceMs: number,
  whyGone: () => string | undefined,
): Promise<void> {
  for (const deadline = performance.now() + MOST_MS; performance.now() < deadline; ) {
    const gone = whyGone();
    if (gone !== undefined) throw new Error(gone);
    try {
      await ping(agent, patienceMs);
      await runInGuest(agent, ['/bin/true'], patienceMs);
      return;
    } catch {
      await sleep(10);
    }
  }
  throw new Error('its agent does not answer');
}

/** Started by `start`, as often as one likes; what it starts from is made before. */
export interface PreparedMachine {
  start(): BareMachine;
}

const replaceAll = (text: string, places: Readonly<Record<string, string>>): string =>
  Object.entries(places).reduce((result, [from, to]) => result.replaceAll(from, to), text);

export async function prepareDisk(
  machine: Machine,
): Promise<{ readonly vmlinuz: string; readonly initramfs: string }> {
  const { kernel } = machine.image;
  if (kernel === undefined) throw new Error('the image has no kernel');
  rmSync(machine.volume, { recursive: true, force: true });
  mkdirSync(machine.volume, { recursive: true });
  await populateDisk(machine);
  await growDiskFile(machine, machine.limits.disk);
  return kernel;
}

const openTaps = (machine: Machine, headers: boolean): number[] =>
  machine.nics.map(({ hostLink }) => openTap(hostLink, { headers }));

/** QEMU with the arguments that its driver gives it, and without its jail. */
export async function prepareQemu(machine: Machine): Promise<PreparedMachine> {
  const { vmlinuz, initramfs } = await prepareDisk(machine);
  const paths = qemuPaths(machine);
  await writeInitramfs(
    initramfs,
    paths.initramfs,
    renderProvision([...identityFiles(machine), randomSeed()], new Date()),
  );
  const khz = await counterKhz();
  rmSync(paths.sockets, { recursive: true, force: true });
  mkdirSync(paths.sockets, { recursive: true });
  const places = {
    [QEMU_JAIL.sockets]: paths.sockets,
    [QEMU_JAIL.consoleLog]: paths.consoleLog,
    [QEMU_JAIL.kernel]: vmlinuz,
    [QEMU_JAIL.volume]: machine.volume,
  };
  return {
    start: () => {
      const taps = openTaps(machine, true);
      const tapFds = taps.map((_, index) => FIRST_EXTRA_FD + index);
      // Its driver has it wait for a word, which nobody gives here.
      const [program = '', ...argv] = qemu
        .renderCommandLine(machine, {
          tapFds,
          maximumCpus: hostFacts().cpus,
          counterKhz: khz,
        })
        .filter((argument) => argument !== '-S')
        .map((argument) => replaceAll(argument, places));
      const child = spawn(program, argv, { stdio: ['ignore', 'ignore', 'inherit', ...taps] });
      for (const tap of taps) closeSync(tap);
      return new BareMachine(
        child,
        new AgentChannel(() => connectUnixSocket(join(paths.sockets, SOCKET.agent), PING_MS)),
      );
    },
  };
}

/** A unit with the priority that it has when nothing is said. */
const ordinary = (entry: ArchiveEntry): ArchiveEntry =>
  entry.kind === 'file'
    ? {
        ...entry,
        content: Buffer.from(
          Buffer.from(entry.content)
            .toString()
            .replace(/^Nice=.*\n/m, ''),
        ),
      }
    : entry;

/** User-Mode Linux with the arguments that its driver gives it, in no jail but a namespace of processes. */
export async function prepareUml(machine: Machine): Promise<PreparedMachine> {
  const { initramfs } = await prepareDisk(machine);
  const paths = umlPaths(machine);
  const files = [...identityFiles(machine), ...machineFiles(machine).map(ordinary)];
  await writeInitramfs(initramfs, paths.initramfs, renderProvision(files, new Date(), bootFiles()));
  for (const folder of [paths.sockets, paths.lines]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }
  mkdirSync(paths.bundle, { recursive: true });
  writeFileSync(paths.preload, preload());
  for (const line of [CONSOLE_LINE, ...PIPE_LINES]) {
    const { input, output } = linePipes(paths, line);
    for (const pipe of [input, output]) makeFifo(pipe);
  }
  const places = { [UML_JAIL.modules]: uml.MODULES, [UML_JAIL.volume]: machine.volume };
  return { start: () => startUml(machine, places) };
}

function startUml(machine: Machine, places: Readonly<Record<string, string>>): BareMachine {
  const paths = umlPaths(machine);
  const opened: number[] = [];
  const handDown = (fd: number): number => FIRST_EXTRA_FD + opened.push(fd) - 1;
  const ends = (line: number): { input: number; output: number } => {
    const { input, output } = linePipes(paths, line);
    return { input: openFifo(input, 'both'), output: openFifo(output, 'both') };
  };
  const lines = new Map(
    PIPE_LINES.map((line) => {
      const { input, output } = ends(line);
      return [line, { input: handDown(input), output: handDown(output) }] as const;
    }),
  );
  const taps = openTaps(machine, false).map(handDown);
  const standard = ends(CONSOLE_LINE);
  const disk = { size: diskSize(machine.limits.disk) };
  const argv = uml.renderCommandLine(machine, paths.sockets, { lines, taps }, disk);
  const errors = openSync(paths.log, 'w');
  const child = spawn(
    'unshare',
    [
      ...['--pid', '--fork', '--kill-child=SIGKILL', '--'],
      ...argv.map((argument) => replaceAll(argument, places)),
    ],
    {
      stdio: [standard.input, standard.output, errors, ...opened],
      env: { PATH: '/usr/bin', HOME: '/', TERM: 'vt100', TMPDIR: '/dev/shm', LD_PRELOAD: paths.preload },
    },
  );
  for (const fd of [standard.input, standard.output, errors, ...opened]) closeSync(fd);
  const shown = fifoStream(linePipes(paths, CONSOLE_LINE).output, 'read').resume();
  child.once('exit', () => shown.destroy());
  return new BareMachine(child, new AgentChannel(async () => LineStream.open(linePipes(paths, AGENT_LINE))));
}
