import { MullionError } from '../../contract/errors.ts';
import { isAlive } from '../../host/processes.ts';
import { processorIdentity } from '../../host/virtualization.ts';
import type { Condition, Handle, Machine, MemoryAbility, SavedMemory, WarmAbility } from '../driver.ts';
import type { Runner } from '../guest-agent/guest-commands.ts';
import { becomeAnother, settleForCopies } from '../guest-agent/new-identity.ts';
import { beginAwake, isAsleep, stayAwake } from './awakening.ts';
import type { Connections } from './connections.ts';
import { portOfLine } from './guest-ports.ts';
import { loadMemory, memoryRoom, plugLinks, saveMemory } from './memory.ts';
import { qemuVersion, whyUnfit } from './memory-fit.ts';
import { lastWords } from './prepare.ts';
import type { QmpClient } from './qmp.ts';
import { holdStill, letRun, queryCondition } from './run-state.ts';
import { dropSavedMemory, type MemoryHeader, openSavedMemory } from './saved-memory.ts';

/** Of what is saved and of what guests are told; another one makes templates void. */
const FORMAT = 4;

/** Machines that fall asleep and go on from there, as themselves or as others. */
export class MachineMemory implements MemoryAbility, WarmAbility {
  readonly #connected: (machine: Machine) => Connections;

  constructor(connected: (machine: Machine) => Connections) {
    this.#connected = connected;
  }

  room(machine: Machine): number {
    return memoryRoom(machine);
  }

  async save(machine: Machine, { pid, pidStart }: Handle, signal?: AbortSignal): Promise<void> {
    if (!isAlive(pid, pidStart)) throw new MullionError('wrong_state', 'The VPS does not run.');
    const { monitor, ports, commands } = await this.#opened(machine);
    if ((await queryCondition(monitor)) === 'running') await commands.tidy();
    await ports.tidy();
    const { left } = commands;
    const runner = left === undefined ? undefined : { pid: left.pid, port: portOfLine(left.line) };
    await ports.whileStill(async () => {
      if ((await queryCondition(monitor)) === 'running') await holdStill(monitor);
      await saveMemory(machine, monitor, runner, signal);
    });
  }

  async saved(machine: Machine): Promise<SavedMemory | undefined> {
    await using memory = await openSavedMemory(machine);
    return memory === undefined ? undefined : { unfit: await whyUnfit(machine, memory.header) };
  }

  drop(machine: Machine): Promise<void> {
    return dropSavedMemory(machine);
  }

  async basis(): Promise<string> {
    return `qemu ${await qemuVersion()} processor ${processorIdentity()} format ${FORMAT}`;
  }

  /** A copy answers its first command sooner by a runner that waits in it. */
  async settle(machine: Machine): Promise<void> {
    const { agent, commands } = this.#connected(machine);
    await settleForCopies(agent);
    await commands.leaveRunner();
  }

  /** The header of what the machine goes on from; what it cannot go on from is dropped. */
  async fitting(machine: Machine): Promise<MemoryHeader | undefined> {
    await using memory = await openSavedMemory(machine).catch(() => undefined);
    if (memory !== undefined && (await whyUnfit(machine, memory.header)) === undefined) return memory.header;
    await dropSavedMemory(machine);
    return undefined;
  }

  /** One that has not become itself yet is prepared and no more. */
  async condition(machine: Machine): Promise<Condition> {
    const { monitor } = await this.#opened(machine);
    const condition = await queryCondition(monitor);
    return isAsleep(machine) ? 'prepared' : condition;
  }

  /** Lets a prepared machine run, from saved memory if it was prepared for that. */
  async start(machine: Machine, monitor: QmpClient): Promise<void> {
    const loaded = isAsleep(machine) ? await this.#load(machine, monitor) : undefined;
    if (loaded?.header.template === true) await this.#becomeItself(machine, monitor, loaded.runner);
    else await this.goOn(machine, monitor);
  }

  /** Lets the guest run. From then on saved memory does not fit its data any more, so that it is gone before. */
  async goOn(machine: Machine, monitor: QmpClient): Promise<void> {
    await beginAwake(machine);
    // A template's guest lives in that file.
    if (machine.template !== true) await dropSavedMemory(machine);
    await letRun(monitor);
  }

  /** When it cannot be loaded, the next start boots. */
  async #load(
    machine: Machine,
    monitor: QmpClient,
  ): Promise<{ header: MemoryHeader; runner: Runner | undefined }> {
    try {
      await using memory = await openSavedMemory(machine);
      if (memory === undefined) throw new MullionError('start_failed', 'Its saved memory is gone.');
      const { header } = memory;
      if ((await queryCondition(monitor)) !== 'prepared') return { header, runner: undefined };
      const connections = this.#connected(machine);
      const runner = await adoptRunner(connections, header);
      await loadMemory(machine, connections, monitor, memory);
      return { header, runner };
    } catch (cause) {
      await dropSavedMemory(machine);
      const words = (await lastWords(machine)).split('\n').at(-1) || String(cause);
      throw new MullionError('start_failed', `Its memory could not be restored: ${words}`, {
        remedy: 'Start it: it boots from the data of the snapshot',
        cause,
      });
    }
  }

  /**
   * Lets a guest run that knows itself as another, until it does so no more, and links it then. Killed on the way, it is
   * prepared still, and boots.
   */
  async #becomeItself(machine: Machine, monitor: QmpClient, runner: Runner | undefined): Promise<void> {
    const { agent, commands } = this.#connected(machine);
    await dropSavedMemory(machine);
    await letRun(monitor);
    await becomeAnother(agent, machine);
    if (runner !== undefined) commands.adopt(runner);
    await plugLinks(machine, monitor);
    await stayAwake(machine);
  }

  async #opened(machine: Machine): Promise<{ monitor: QmpClient } & Pick<Connections, 'ports' | 'commands'>> {
    const connections = this.#connected(machine);
    const { ports, commands } = connections;
    return { monitor: await connections.monitor(), ports, commands };
  }
}

async function adoptRunner({ ports }: Connections, { runner }: MemoryHeader): Promise<Runner | undefined> {
  return runner === undefined ? undefined : { pid: runner.pid, line: await ports.adopt(runner.port) };
}
