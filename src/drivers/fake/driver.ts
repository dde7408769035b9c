import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { MullionError } from '../../contract/errors.ts';
import type { ImagePart } from '../../contract/resources.ts';
import { MIB } from '../../contract/sizes.ts';
import { type Features, TECHNIQUE_FACTS, TECHNIQUES, type Technique } from '../../contract/techniques.ts';
import { bootsItself } from '../../core/boot-parts.ts';
import { type Naming, vpsRunDirectory } from '../../core/naming.ts';
import type { Condition, Driver, Handle, Machine } from '../driver.ts';
import { Consoles } from './console.ts';
import { blackScreen, silentDisplay } from './display.ts';
import { delay, failWhen, faultsOf } from './faults.ts';
import { fakeFiles, makeGuest } from './guest-files.ts';
import { Lives } from './lives.ts';
import { dropMemory, readMemory, saveMemory, unfitness } from './memory.ts';
import { openSession } from './session.ts';
import { Stalls } from './stall.ts';
import { idsBelow, isSame, readState, removeState, writeState } from './state.ts';

/** Pids start above what a kernel gives (proc(5), pid_max), so that none is a real process. */
const FIRST_PID = 5_000_000;

/**
 * A driver without a host behind it, for tests of everything above drivers. Its machines are files of the run
 * directory, so that they outlive the daemon as real ones do; faults are asked for in a VPS's environment.
 */
export function createFakeDriver({ naming }: { readonly naming: Naming }): Driver {
  const consoles = new Consoles();
  const stall = new Stalls();
  const lives = new Lives((id) => consoles.end(id));
  let nextPid = FIRST_PID + (process.pid % 10_000) * 100;

  const living = (machine: Machine, handle: Handle) => {
    const state = readState(machine);
    if (state !== undefined && isSame(state, handle)) return state;
    throw new MullionError('command_failed', `The machine of ${machine.name} is gone.`);
  };
  const gone = (machine: Machine, handle: Handle): boolean => {
    const state = readState(machine);
    return state === undefined || !isSame(state, handle);
  };

  const requireAnswer = (machine: Machine, handle: Handle): void => {
    if (Date.now() >= answersAt(machine, handle)) return;
    throw new MullionError('guest_unresponsive', `The guest of ${machine.name} does not answer yet.`);
  };

  return {
    name: 'fake',
    techniques: TECHNIQUES,
    needs,
    foreign,
    features,
    probe: async (technique) => ({
      id: technique,
      name: TECHNIQUE_FACTS[technique].name,
      driver: 'fake',
      state: 'healthy',
      reason: 'The fake runs everywhere.',
      evidence: ['it needs nothing of the host'],
      remedy: '',
      features: features(technique),
    }),
    async populate(machine) {
      const faults = faultsOf(machine);
      await delay(faults.slow);
      await makeGuest(machine);
      failWhen(faults.populateFails, 'populate');
    },
    async prepare(machine) {
      const faults = faultsOf(machine);
      await delay(faults.slow);
      failWhen(faults.prepareFails, 'prepare');
      if (unfitness(machine) !== undefined) dropMemory(machine);
      const handle = { pid: nextPid++, pidStart: Date.now(), data: {} };
      writeState(machine, {
        condition: 'prepared',
        pid: handle.pid,
        pidStart: handle.pidStart,
        diesAt: null,
      });
      return { handle, link: { kind: 'none' } };
    },
    async start(machine, handle) {
      const faults = faultsOf(machine);
      await delay(faults.slow);
      const state = living(machine, handle);
      if (state.condition !== 'prepared') return;
      if (faults.startFails) consoles.write(machine, 'fake: kernel panic, as wanted\n');
      failWhen(faults.startFails, 'start');
      const diesAt = faults.diesAfter === undefined ? null : Date.now() + faults.diesAfter;
      const bootId = readMemory(machine)?.bootId ?? randomUUID();
      dropMemory(machine);
      writeState(machine, { ...state, condition: 'running', diesAt, bootId });
      stall.schedule(machine, handle);
      consoles.write(machine, `fake: ${machine.name} is up\n`);
    },
    async shutdown(machine, handle, timeoutMs) {
      if (gone(machine, handle)) return true;
      const faults = faultsOf(machine);
      if (faults.shutdownHangs) await new Promise<never>(() => undefined);
      if (faults.shutdownIgnored) {
        await delay(timeoutMs);
        return false;
      }
      await delay(faults.slow);
      removeState(machine);
      lives.end(machine.id, handle, { kind: 'poweroff', reason: 'the guest switched itself off' });
      return true;
    },
    async remove(machine, handle) {
      const faults = faultsOf(machine);
      await delay(faults.slow);
      failWhen(faults.removeFails, 'remove');
      removeState(machine);
      lives.end(machine.id, handle, { kind: 'died', reason: 'the machine was removed' });
    },
    async recover(machine, handle): Promise<Condition> {
      failWhen(faultsOf(machine).handleLost, 'recover');
      const state = readState(machine);
      if (state === undefined || !isSame(state, handle)) return 'gone';
      return state.stalled ? 'paused' : state.condition;
    },
    onExit: (machine, handle, listener) => lives.watch(machine, handle, listener),
    async usage(machine, handle) {
      const { pidStart, condition } = living(machine, handle);
      if (condition === 'paused') throw new MullionError('guest_unresponsive', 'The guest is paused.');
      return { cpuSeconds: (Date.now() - pidStart) / 100_000, memory: 4 * MIB, processes: 3 };
    },
    meters: () => ({
      cpuSeconds: 1.5,
      memory: 4 * MIB,
      processes: 3,
      cpuWaitedSeconds: 0.75,
      cpuThrottledSeconds: 0.25,
      oomKills: 0,
      diskRead: 0,
      diskWritten: 0,
      diskReads: 0,
      diskWrites: 0,
    }),
    leftovers: async () => idsBelow(dirname(vpsRunDirectory(naming, 'x'))),

    exec: {
      async exec(machine, handle, request) {
        failWhen(faultsOf(machine).execFails, 'exec');
        living(machine, handle);
        requireAnswer(machine, handle);
        return openSession(machine, request, {
          writeConsole: (text) => consoles.write(machine, text),
          end: (end) => {
            // The command that asks for it is not cut off from its answer.
            setImmediate(() => {
              removeState(machine);
              lives.end(machine.id, handle, end);
            });
          },
        });
      },
    },
    console: {
      async openConsole(machine, handle) {
        living(machine, handle);
        return consoles.open(machine);
      },
    },
    logs: { readLogs: async (machine, options) => consoles.read(machine, options) },
    files: fakeFiles,
    pause: {
      async pause(machine, handle) {
        failWhen(faultsOf(machine).pauseFails, 'pause');
        writeState(machine, { ...living(machine, handle), condition: 'paused' });
      },
      async resume(machine, handle) {
        const state = living(machine, handle);
        dropMemory(machine);
        writeState(machine, { ...state, condition: 'running' });
      },
    },
    memory: {
      room: () => 4096,
      async save(machine, handle, signal) {
        const state = living(machine, handle);
        writeState(machine, { ...state, condition: 'paused' });
        await delay(faultsOf(machine).slow);
        signal?.throwIfAborted();
        failWhen(faultsOf(machine).saveFails, 'save the memory');
        saveMemory(machine, state.bootId);
      },
      async saved(machine) {
        return readMemory(machine) === undefined ? undefined : { unfit: unfitness(machine) };
      },
      drop: async (machine) => dropMemory(machine),
    },
    stall,
    limits: {
      async setLimits(machine, handle, { memory }) {
        failWhen(faultsOf(machine).limitsFail, 'set limits');
        writeState(machine, { ...living(machine, handle), memory });
      },
    },
    warm: {
      basis: async () => 'the fake',
      async settle(machine, handle) {
        living(machine, handle);
        failWhen(faultsOf(machine).saveFails, 'settle');
      },
    },
    freeze: {
      async freeze(machine, handle) {
        const faults = faultsOf(machine);
        failWhen(faults.freezeFails, 'freeze');
        if (faults.freezeHangs) await new Promise<never>(() => undefined);
        if (!faults.freezeLies) writeState(machine, { ...living(machine, handle), frozen: true });
      },
      async thaw(machine, handle) {
        const state = living(machine, handle);
        if (state.frozen) writeState(machine, { ...state, frozen: false });
        return state.frozen;
      },
    },
    display: {
      async screenshot(machine, handle) {
        living(machine, handle);
        return blackScreen(720, 400);
      },
      async openDisplay(machine, handle) {
        living(machine, handle);
        return silentDisplay();
      },
    },
    health: {
      agent: { hasAnswered: () => false },
      isReady: async (machine, handle) => {
        const { neverReady } = faultsOf(machine);
        return !neverReady && Date.now() >= answersAt(machine, handle) && !gone(machine, handle);
      },
    },
  };
}

const answersAt = (machine: Machine, handle: Handle): number =>
  handle.pidStart + faultsOf(machine).readyAfter;

const needs = (technique: Technique): readonly ImagePart[] => [technique === 'os' ? 'rootfs' : 'disk'];
/** Like the usual drivers: virtual hardware boots what nobody prepared. */
const foreign = (technique: Technique): readonly ImagePart[] =>
  technique === 'full' || technique === 'hardware' ? ['boot-disk', 'iso'] : [];

function features(technique: Technique, parts?: readonly ImagePart[]): Features {
  const boot = { needs: needs(technique), foreign: foreign(technique) };
  const own = ownFeatures(technique);
  if (parts === undefined) return { ...own, display: boot.foreign.length > 0 };
  if (!bootsItself(boot, parts)) return own;
  return { ...own, exec: false, tty: false, files: false, health: false, display: true };
}

/** Like the usual drivers: what shares the host's kernel can change more while it runs. */
function ownFeatures(technique: Technique): Features {
  const shared = technique === 'os';
  return {
    exec: true,
    tty: true,
    console: true,
    logs: true,
    files: true,
    pause: true,
    savedMemory: !shared,
    warmStart: !shared,
    gracefulStop: true,
    liveMemory: true,
    liveCpus: true,
    livePids: shared,
    liveDisk: shared,
    diskRates: true,
    liveDiskRates: true,
    fractionalCpus: shared,
    severalCpus: true,
    ownKernel: !shared,
    resourcesApart: false,
    environment: true,
    health: true,
    display: false,
  };
}
