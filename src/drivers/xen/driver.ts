import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import type { ImagePart } from '../../contract/resources.ts';
import type { ExecRequest } from '../../contract/streams.ts';
import type { Features, Technique, TechniqueReport } from '../../contract/techniques.ts';
import { cacheDirectory, DOMAIN_PREFIX, type Naming, vpsRunDirectory } from '../../core/naming.ts';
import { isControlDomain, xenFacts } from '../../host/xen/facts.ts';
import { readLog } from '../console/console-log.ts';
import type {
  Condition,
  ConsoleAbility,
  Driver,
  DriverUsage,
  ExecAbility,
  ExecSession,
  FilesAbility,
  FreezeAbility,
  Handle,
  HealthAbility,
  LimitsAbility,
  LogsAbility,
  Machine,
  MachineEnd,
  MemoryAbility,
  PauseAbility,
  Prepared,
} from '../driver.ts';
import type { AgentChannel } from '../guest-agent/agent-channel.ts';
import { askAgentToEnd } from '../guest-agent/asked-to-end.ts';
import { listFiles, pullFile, pushFile } from '../guest-agent/guest-files.ts';
import { GuestRest } from '../guest-agent/guest-rest.ts';
import { countProcesses } from '../guest-agent/guest-usage.ts';
import { populateDisk } from '../guest-disk/disk.ts';
import { domainsWithChannels, removeChannels } from './channels.ts';
import { DomainRun } from './domain-run.ts';
import { DomainWatch } from './domain-watch.ts';
import { conditionOf, type Domain, hasEnded, standsStill } from './domains.ts';
import { FEATURES } from './features.ts';
import { announceLinks } from './guest-links.ts';
import { setLimits } from './live-limits.ts';
import { MachineMemory } from './machine-memory.ts';
import { machinePaths } from './paths.ts';
import { letRun, machinesWithRun, makeDomain, removeRun } from './prepare.ts';
import { probePara } from './probe.ts';
import { StoreConnection } from './store-connection.ts';
import { askDomainToEnd, destroyDomain, pauseDomain } from './toolstack.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const PING_MS = 2_000;
const DESTROY_MS = 20_000;

export interface XenOptions {
  /** Begins the name of each domain of this installation. */
  readonly domainPrefix: string;
  /** Folder that holds the run folder of every VPS, named by its id. */
  readonly runDirectories: string;
  /** File in which the probe's verdict is kept. */
  readonly probeCache: string;
}

/** As the daemon makes it. */
export function createXenDriver({ naming }: { readonly naming: Naming }): XenDriver {
  return new XenDriver({
    domainPrefix: DOMAIN_PREFIX(naming),
    runDirectories: dirname(vpsRunDirectory(naming, 'any')),
    probeCache: join(cacheDirectory(naming), 'xen-probe.json'),
  });
}

/** Para-virtual machines by Xen's toolstack, on a host that is domain 0. */
export class XenDriver implements Driver {
  readonly name = 'xen';
  readonly techniques = ['para'] as const;
  readonly #options: XenOptions;
  readonly #store = new StoreConnection();
  readonly #watch = new DomainWatch(this.#store);
  readonly #runs = new Map<string, DomainRun>();
  readonly #rest = new GuestRest();
  readonly #memory = new MachineMemory(this.#store, (handle) => this.#require(handle));

  constructor(options: XenOptions) {
    this.#options = options;
  }

  needs(_technique: Technique): readonly ImagePart[] {
    return ['disk', 'kernel'];
  }

  features(_technique: Technique): Features {
    return FEATURES;
  }

  probe(_technique: Technique, anew = false): Promise<TechniqueReport> {
    return probePara(this.#options.probeCache, anew);
  }

  populate(machine: Machine): Promise<void> {
    return populateDisk(machine);
  }

  async prepare(machine: Machine): Promise<Prepared> {
    await this.remove(machine, undefined);
    try {
      const store = await this.#store.use();
      const name = this.#nameOf(machine);
      const { uuid, domain } = await makeDomain(machine, name, store, await this.#memory.fitting(machine));
      const run = this.#attach(machine, uuid, domain);
      await run.console();
      const nic = machine.nics[0];
      return {
        handle: { pid: domain, pidStart: Date.now(), data: { uuid } },
        link: nic === undefined ? { kind: 'none' } : { kind: 'tap', hostLink: nic.hostLink },
      };
    } catch (failure) {
      await this.remove(machine, undefined);
      throw failure;
    }
  }

  async start(machine: Machine, handle: Handle): Promise<void> {
    const domain = await this.#require(handle);
    if (!domain.state.paused || existsSync(machinePaths(machine).started)) return;
    await announceLinks(await this.#store.use(), domain.id, machine.nics.length);
    await letRun(machine, this.#nameOf(machine));
  }

  async shutdown(machine: Machine, handle: Handle, timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    const left = (): number => Math.max(0, deadline - performance.now());
    const domain = await this.#find(handle);
    const condition = conditionOf(domain, existsSync(machinePaths(machine).started));
    if (domain === undefined || condition === 'gone') return true;
    const name = this.#nameOf(machine);
    const ended = this.#whenEnded(handle, left);
    try {
      if (condition === 'prepared') await destroyDomain(name);
      else {
        if (condition === 'paused') await this.#memory.goOn(machine, domain);
        const { agent } = this.#attach(machine, domain.uuid, domain.id);
        await askAgentToEnd(agent, timeoutMs);
      }
    } catch {
      // The guest has no agent, or has ended meanwhile: its kernel is asked, and what counts is whether it ends in time.
      await askDomainToEnd(name).catch(() => undefined);
    }
    return ended;
  }

  async remove(machine: Machine, _handle: Handle | undefined): Promise<void> {
    this.#forget(machine);
    if (isControlDomain(xenFacts())) await this.#destroy(this.#nameOf(machine));
    await removeRun(machine);
  }

  async recover(machine: Machine, handle: Handle): Promise<Condition> {
    const domain = await this.#find(handle);
    const { started, saving } = machinePaths(machine);
    const condition = conditionOf(domain, existsSync(started));
    if (domain !== undefined && condition !== 'gone') {
      await this.#attach(machine, domain.uuid, domain.id)
        .console()
        .catch(() => undefined);
    }
    // It was about to fall asleep, or does so yet.
    if (condition === 'running' && existsSync(saving)) return 'paused';
    return condition;
  }

  onExit(machine: Machine, handle: Handle, listener: (end: MachineEnd) => void): () => void {
    return this.#watch.add(uuidOf(handle), (end) => {
      if (this.#runs.get(machine.id)?.uuid === uuidOf(handle)) this.#forget(machine);
      listener(end);
    });
  }

  async usage(machine: Machine, handle: Handle): Promise<DriverUsage> {
    const domain = await this.#find(handle);
    if (domain === undefined || hasEnded(domain)) return { cpuSeconds: 0, memory: 0, processes: 0 };
    const { agent } = this.#attach(machine, domain.uuid, domain.id);
    const processes = standsStill(domain) ? undefined : await countProcesses(agent);
    return { cpuSeconds: domain.cpuSeconds, memory: domain.memoryMib * MIB, processes };
  }

  async leftovers(): Promise<string[]> {
    const { domainPrefix, runDirectories } = this.#options;
    const domains = isControlDomain(xenFacts()) ? await this.#watch.list() : [];
    const named = domains.filter(({ name }) => name.startsWith(domainPrefix));
    const begun = await machinesWithRun(runDirectories);
    return [...new Set([...named.map(({ name }) => name.slice(domainPrefix.length)), ...begun])].sort();
  }

  /** Closes every connection; the guests go on. */
  close(): void {
    for (const run of this.#runs.values()) run.close();
    this.#runs.clear();
    this.#watch.close();
    this.#store.close();
  }

  readonly exec: ExecAbility = {
    exec: (machine, handle, request) => this.#exec(machine, handle, request),
  };

  readonly console: ConsoleAbility = {
    openConsole: async (machine, handle) => {
      const domain = await this.#require(handle);
      return (await this.#attach(machine, domain.uuid, domain.id).console()).attach();
    },
  };

  readonly logs: LogsAbility = {
    readLogs: async (machine, options) =>
      readLog(machinePaths(machine).consoleLog, {
        ...options,
        isLive: async () => this.#runs.has(machine.id),
      }),
  };

  readonly files: FilesAbility = {
    pull: (machine, handle, path) => pullFile(this.#executor(machine, handle), path),
    push: (machine, handle, path, content, mode) =>
      pushFile(this.#executor(machine, handle), path, content, mode),
    list: (machine, handle, path) => listFiles(this.#executor(machine, handle), path),
  };

  readonly pause: PauseAbility = {
    pause: async (machine, handle) => {
      if (!(await this.#require(handle)).state.paused) await pauseDomain(this.#nameOf(machine));
    },
    resume: async (machine, handle) => {
      await this.#memory.goOn(machine, await this.#require(handle));
    },
  };

  readonly limits: LimitsAbility = {
    setLimits: async (machine, handle, limits) => {
      const domain = await this.#require(handle);
      const { agent } = this.#attach(machine, domain.uuid, domain.id);
      const store = await this.#store.use();
      const mostMemory = Number(await store.read(`/local/domain/${domain.id}/memory/static-max`)) * KIB;
      const mostCpus = (await store.list(`/local/domain/${domain.id}/cpu`)).length;
      const find = (): Promise<Domain | undefined> => this.#find(handle);
      await setLimits({ machine, domain, agent, limits, mostMemory, mostCpus, find });
    },
  };

  readonly health: HealthAbility = {
    isReady: async (machine, handle) => {
      const run = this.#runs.get(machine.id) ?? (await this.#attachTo(machine, handle));
      if (run === undefined || !(await run.isAnswering(PING_MS))) return false;
      await this.#memory.settle(machine, run.agent);
      return true;
    },
  };

  readonly freeze: FreezeAbility = {
    freeze: async (machine, handle, limitMs) =>
      this.#rest.freeze(machine.id, await this.#agentOf(machine, handle), limitMs),
    thaw: async (machine, handle) => this.#rest.thaw(machine.id, await this.#agentOf(machine, handle)),
  };

  get memory(): MemoryAbility {
    return this.#memory;
  }

  #nameOf(machine: Machine): string {
    return `${this.#options.domainPrefix}${machine.id}`;
  }

  #find(handle: Handle): Promise<Domain | undefined> {
    return this.#watch.find(uuidOf(handle));
  }

  /** @throws MullionError `wrong_state` when the domain has ended */
  async #require(handle: Handle): Promise<Domain> {
    const domain = await this.#find(handle);
    if (domain === undefined || hasEnded(domain))
      throw new MullionError('wrong_state', 'The VPS does not run.');
    return domain;
  }

  /** The connections to this very domain; those to an earlier one of the machine's are closed. */
  #attach(machine: Machine, uuid: string, domain: number): DomainRun {
    const known = this.#runs.get(machine.id);
    if (known?.uuid === uuid && known.domain === domain) return known;
    known?.close();
    const run = new DomainRun(this.#store, uuid, domain, machinePaths(machine).consoleLog);
    this.#runs.set(machine.id, run);
    return run;
  }

  async #agentOf(machine: Machine, handle: Handle): Promise<AgentChannel> {
    const domain = await this.#require(handle);
    return this.#attach(machine, domain.uuid, domain.id).agent;
  }

  async #attachTo(machine: Machine, handle: Handle): Promise<DomainRun | undefined> {
    const domain = await this.#find(handle);
    return domain === undefined || hasEnded(domain)
      ? undefined
      : this.#attach(machine, domain.uuid, domain.id);
  }

  /** Also clears what domains left in the store that nobody destroyed through this driver. */
  async #destroy(name: string): Promise<void> {
    const store = await this.#store.use();
    const known = await domainsWithChannels(store);
    for (const deadline = performance.now() + DESTROY_MS; ; await sleep(50)) {
      const domains = await this.#watch.list();
      if (!domains.some((domain) => domain.name === name)) {
        const gone = known.filter((id) => !domains.some((domain) => domain.id === id));
        for (const id of gone) await removeChannels(store, id);
        return;
      }
      await destroyDomain(name);
      if (performance.now() > deadline)
        throw new MullionError('timeout', `The domain ${name} does not go away.`);
    }
  }

  #forget(machine: Machine): void {
    this.#runs.get(machine.id)?.close();
    this.#runs.delete(machine.id);
  }

  async #exec(machine: Machine, handle: Handle, request: ExecRequest): Promise<ExecSession> {
    const domain = await this.#require(handle);
    return this.#attach(machine, domain.uuid, domain.id).commands.exec(machine.env, request);
  }

  #executor(machine: Machine, handle: Handle) {
    return (argv: readonly [string, ...string[]]): Promise<ExecSession> =>
      this.#exec(machine, handle, { argv: [...argv], env: {}, tty: false });
  }

  /** True once the domain has ended, false when the time is up. */
  #whenEnded(handle: Handle, left: () => number): Promise<boolean> {
    return new Promise((resolve) => {
      const stop = this.#watch.add(uuidOf(handle), () => {
        clearTimeout(timer);
        resolve(true);
      });
      const timer = setTimeout(() => {
        stop();
        resolve(false);
      }, left());
    });
  }
}

const uuidOf = (handle: Handle): string => String(handle.data.uuid ?? '');
