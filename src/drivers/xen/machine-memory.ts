import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '../../contract/sizes.ts';
import type { Handle, Machine, MemoryAbility, SavedMemory } from '../driver.ts';
import { settleAfterSleep } from '../guest-agent/after-sleep.ts';
import type { AgentChannel } from '../guest-agent/agent-channel.ts';
import { type Domain, isAsleep, listDomains } from './domains.ts';
import { describeDomain, whyUnfit } from './memory-fit.ts';
import { machinePaths } from './paths.ts';
import { dropSavedMemory, readMemoryHeader, writeSavedMemory } from './saved-memory.ts';
import type { StoreConnection } from './store-connection.ts';
import { pauseDomain, saveDomain, unpauseDomain } from './toolstack.ts';

/** Page tables, headers of the stream. */
const OVERHEAD = 64 * MIB;

const CONFIRM_MS = 200;

/** A daemon ended in the midst of a save, or the guest fell asleep by itself. */
const isCutOff = (machine: Machine, domain: Domain): boolean =>
  existsSync(machinePaths(machine).saving) || isAsleep(domain);

/** A guest does that itself: one that stands still must go on for the moment that it takes. */
async function layToSleep({ name, state }: Domain, file: string): Promise<void> {
  if (state.paused) await unpauseDomain(name);
  try {
    await saveDomain(name, file);
  } catch (failure) {
    if (state.paused) await pauseDomain(name).catch(() => undefined);
    throw failure;
  }
}

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
    const { saving } = machinePaths(machine);
    const found = await this.#require(handle);
    const wasCutOff = isCutOff(machine, found);
    if (wasCutOff) await this.#wake(found);
    const domain = wasCutOff ? await this.#require(handle) : found;
    const store = await this.#store.use();
    const path = `/local/domain/${domain.id}`;
    const aim = Number(await store.read(`${path}/memory/target`));
    const header = await describeDomain(machine, domain, aim, (await store.list(`${path}/cpu`)).length);
    await writeFile(saving, '', { mode: 0o600 });
    try {
      await writeSavedMemory(machine, header, (file) => layToSleep(domain, file));
    } finally {
      await rm(saving, { force: true });
    }
  }

  /** Lets one that stands still go on. Once it runs, what was saved does not fit its data any more. */
  async goOn(machine: Machine, domain: Domain): Promise<void> {
    const wasCutOff = isCutOff(machine, domain);
    if (!wasCutOff && !domain.state.paused) return;
    await dropSavedMemory(machine);
    if (wasCutOff) await this.#wake(domain);
    await rm(machinePaths(machine).saving, { force: true });
    await unpauseDomain(domain.name);
  }

  async saved(machine: Machine): Promise<SavedMemory | undefined> {
    const header = await readMemoryHeader(machine);
    return header === undefined ? undefined : { unfit: await whyUnfit(machine, header) };
  }

  drop(machine: Machine): Promise<void> {
    return dropSavedMemory(machine);
  }

  /** Tells a guest that was asleep what it missed. */
  async settle(machine: Machine, agent: AgentChannel): Promise<void> {
    const { woken } = machinePaths(machine);
    if (!existsSync(woken)) return;
    await settleAfterSleep(agent);
    await rm(woken, { force: true });
  }

  /** The file that the machine is to go on from; what it cannot go on from is dropped. */
  async fitting(machine: Machine): Promise<string | undefined> {
    const header = await readMemoryHeader(machine).catch(() => undefined);
    if (header !== undefined && (await whyUnfit(machine, header)) === undefined)
      return machinePaths(machine).memory;
    await dropSavedMemory(machine);
    return undefined;
  }

  /**
   * Wakes a domain whose saving was cut off, and leaves it paused. Xen 4.17 has no command for that but a save, which is
   * thrown away; a guest that sleeps already cannot confirm that it was asked to (libxl_dom_suspend.c), so that this is done for it.
   */
  async #wake(domain: Domain): Promise<void> {
    const { id, name, state } = domain;
    if (state.paused && !isAsleep(domain)) return;
    if (state.paused) await unpauseDomain(name);
    const store = await this.#store.use();
    const request = `/local/domain/${id}/control/shutdown`;
    const over = new AbortController();
    const confirm = async (): Promise<void> => {
      for (; !over.signal.aborted; await sleep(CONFIRM_MS)) {
        if ((await store.read(request)) !== 'suspend') continue;
        // The toolstack may be slow where all begins at once.
        const now = (await listDomains().catch(() => [])).find((one) => one.id === id);
        if (now !== undefined && isAsleep(now)) await store.write(request, '');
      }
    };
    await Promise.all([saveDomain(name, '/dev/null').finally(() => over.abort()), confirm()]);
  }
}
