import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { MIB } from '../../contract/sizes.ts';
import type { Handle, Machine, MemoryAbility, SavedMemory } from '../driver.ts';
import { settleAfterSleep } from '../guest-agent/after-sleep.ts';
import type { AgentChannel } from '../guest-agent/agent-channel.ts';
import type { Domain } from './domains.ts';
import { describeDomain, whyUnfit } from './memory-fit.ts';
import { machinePaths } from './paths.ts';
import { dropSavedMemory, readMemoryHeader, writeSavedMemory } from './saved-memory.ts';
import type { StoreConnection } from './store-connection.ts';
import { saveDomain, unpauseDomain } from './toolstack.ts';

/** Page tables, headers of the stream. */
const OVERHEAD = 64 * MIB;

/** Domains that fall asleep and go on from there. */
export class MachineMemory implements MemoryAbility {
  readonly #require: (handle: Handle) => Promise<Domain>;
  readonly #store: StoreConnection;

  constructor(store: StoreConnection, require: (handle: Handle) => Promise<Domain>) {
    this.#store = store;
    this.#require = require;
  }

  room(machine: Machine): number {
    return machine.limits.memory + OVERHEAD;
  }

  async save(machine: Machine, handle: Handle): Promise<void> {
    const domain = await this.#require(handle);
    const store = await this.#store.use();
    const path = `/local/domain/${domain.id}`;
    const aim = Number(await store.read(`${path}/memory/target`));
    const header = await describeDomain(machine, domain, aim, (await store.list(`${path}/cpu`)).length);
    await writeSavedMemory(machine, header, async (file) => {
      // A guest lays itself to sleep: one that stands still must go on for the moment that this takes.
      if (domain.state.paused) await unpauseDomain(domain.name);
      await saveDomain(domain.name, file);
    });
  }

  async saved(machine: Machine): Promise<SavedMemory | undefined> {
    const header = await readMemoryHeader(machine);
    return header === undefined ? undefined : { unfit: await whyUnfit(machine, header) };
  }

  drop(machine: Machine): Promise<void> {
    return dropSavedMemory(machine);
  }

  /** Tells a guest that was asleep what it missed; true when it knows. */
  async settle(machine: Machine, agent: AgentChannel): Promise<boolean> {
    const { woken } = machinePaths(machine);
    if (!existsSync(woken)) return true;
    await settleAfterSleep(agent);
    await rm(woken, { force: true });
    return true;
  }

  /** The file that the machine is to go on from; what it cannot go on from is dropped. */
  async fitting(machine: Machine): Promise<string | undefined> {
    const header = await readMemoryHeader(machine).catch(() => undefined);
    if (header !== undefined && (await whyUnfit(machine, header)) === undefined)
      return machinePaths(machine).memory;
    await dropSavedMemory(machine);
    return undefined;
  }
}
