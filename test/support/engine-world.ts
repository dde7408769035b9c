import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { type ErrorCode, MullionError } from '../../src/contract/errors.ts';
import type { NetworkRates } from '../../src/contract/rates.ts';
import { GIB } from '../../src/contract/sizes.ts';
import type { Task } from '../../src/contract/tasks.ts';
import type { Technique } from '../../src/contract/techniques.ts';
import { type LaunchInput, LaunchRequestSchema } from '../../src/contract/vps.ts';
import { type AuditTrail, createMemoryTrail } from '../../src/core/audit-trail.ts';
import { type Logger, silentLogger } from '../../src/core/logger.ts';
import { createNaming, type Naming } from '../../src/core/naming.ts';
import type { Driver } from '../../src/drivers/driver.ts';
import { createFakeDriver } from '../../src/drivers/fake/driver.ts';
import { createEngine, type Engine, type EngineDeps } from '../../src/engine/engine.ts';
import type { Conversion, DataConverter } from '../../src/images/converter.ts';
import type { ImageExport, ImageRecord, ImageStore, TakenImage } from '../../src/images/image-store.ts';
import type { FirewallSpec, NetworkBackend } from '../../src/network/network.ts';
import type { PoolMeasures, VolumeBackend, VolumeSource } from '../../src/storage/volume.ts';
import { createMemoryStore } from '../../src/store/memory/memory-store.ts';
import type { Store } from '../../src/store/store.ts';
import { FolderBackups, NotedDisks } from './folder-backups.ts';
import { scratchDirectory } from './scratch.ts';

/** Folders of a temporary directory with limits that are noted and nothing more. */
export class NotedPool implements VolumeBackend {
  readonly backend = 'dir' as const;
  readonly features = { quota: true, reflink: false, snapshots: true, grow: true };
  readonly limits = new Map<string, number>();
  readonly #root: string;
  size = 100 * GIB;
  used = 0;
  /** Blocks that a check says it repaired. */
  repaired = 0;
  /** What each volume is charged for. */
  charged = 4096;

  constructor(root: string) {
    this.#root = root;
    mkdirSync(root, { recursive: true });
  }

  async open(): Promise<void> {}
  async close(): Promise<void> {}
  async info() {
    const { backend, features, size, used } = this;
    const volumes = readdirSync(this.#root).length;
    return { backend, features, size, used, free: size - used, path: this.#root, volumes, warnings: [] };
  }
  async grow(size: number, onProgress: (done: number, total: number) => void): Promise<void> {
    onProgress(size / 2, size);
    this.size = size;
  }
  async createVolume(id: string, limit: number): Promise<void> {
    mkdirSync(this.volumePath(id));
    this.limits.set(id, limit);
  }
  async deleteVolume(id: string): Promise<void> {
    rmSync(this.volumePath(id), { recursive: true, force: true });
    rmSync(`${this.#root}.snapshots/${id}`, { recursive: true, force: true });
    this.limits.delete(id);
  }
  async setLimit(id: string, limit: number): Promise<void> {
    if (!existsSync(this.volumePath(id))) throw new Error(`no volume ${id}`);
    this.limits.set(id, limit);
  }
  async usage(id: string) {
    return { used: this.charged, limit: this.limits.get(id) };
  }
  async listVolumes(): Promise<string[]> {
    return readdirSync(this.#root);
  }
  volumePath(id: string): string {
    return join(this.#root, id);
  }
  async measure(): Promise<PoolMeasures> {
    return { volumes: [], snapshots: [], images: [] };
  }
  async check(onProgress: (done: number, total: number) => void): Promise<{ repaired: number }> {
    onProgress(this.used, this.used);
    return { repaired: this.repaired };
  }
  async createSnapshot(id: string, snapshot: string): Promise<void> {
    if (existsSync(this.snapshotPath(id, snapshot))) throw new Error(`${snapshot} is there`);
    cpSync(this.volumePath(id), this.snapshotPath(id, snapshot), { recursive: true });
  }
  async deleteSnapshot(id: string, snapshot: string): Promise<void> {
    rmSync(this.snapshotPath(id, snapshot), { recursive: true, force: true });
  }
  async listSnapshots(id: string): Promise<string[]> {
    const folder = `${this.#root}.snapshots/${id}`;
    return existsSync(folder) ? readdirSync(folder).sort() : [];
  }
  snapshotPath(id: string, snapshot: string): string {
    return `${this.#root}.snapshots/${id}/${snapshot}`;
  }
  async restoreSnapshot(id: string, snapshot: string): Promise<void> {
    rmSync(this.volumePath(id), { recursive: true });
    cpSync(this.snapshotPath(id, snapshot), this.volumePath(id), { recursive: true });
  }
  async cloneVolume({ volume, snapshot }: VolumeSource, id: string, limit: number): Promise<void> {
    const source = snapshot === undefined ? this.volumePath(volume) : this.snapshotPath(volume, snapshot);
    cpSync(source, this.volumePath(id), { recursive: true, errorOnExist: true, force: false });
    this.limits.set(id, limit);
  }
  async stageImage(): Promise<string> {
    return this.#root;
  }
  async sealImage(): Promise<void> {}
  async deleteImage(): Promise<void> {}
  async listImages() {
    return [];
  }
  imagePath(id: string): string {
    return join(this.#root, id);
  }
}

/** Knows what would be on the host: which networks, and which VPS is on them with which forwards. */
export class NotedNetwork implements NetworkBackend {
  readonly networks = new Set<string>();
  readonly attached = new Map<string, { connected: boolean; forwards: readonly number[] }>();
  /** What each was told to be limited to last. */
  readonly rates = new Map<string, NetworkRates | undefined>();
  failConnect = false;
  failFirewall = false;
  firewall: FirewallSpec = [];

  async sync({ networks, attachments }: Parameters<NetworkBackend['sync']>[0]): Promise<void> {
    this.networks.clear();
    for (const { project, name } of networks) this.networks.add(`${project}/${name}`);
    this.attached.clear();
    for (const attachment of attachments) this.#note(attachment, true);
  }
  async ensureNetwork({ project, name }: Parameters<NetworkBackend['ensureNetwork']>[0]): Promise<void> {
    this.networks.add(`${project}/${name}`);
  }
  async removeNetwork({ project, name }: Parameters<NetworkBackend['removeNetwork']>[0]): Promise<void> {
    this.networks.delete(`${project}/${name}`);
  }
  async admit(attachment: Parameters<NetworkBackend['admit']>[0]): Promise<void> {
    this.#note(attachment, false);
  }
  async connect(attachment: Parameters<NetworkBackend['connect']>[0]): Promise<void> {
    if (this.failConnect) throw new Error('no bridge today');
    this.#note(attachment, true);
    this.rates.set(attachment.vps, attachment.rates);
  }
  async setRates({ vps, rates }: Parameters<NetworkBackend['setRates']>[0]): Promise<void> {
    this.rates.set(vps, rates);
  }
  async detach({ vps }: Parameters<NetworkBackend['detach']>[0]): Promise<void> {
    this.attached.delete(vps);
  }
  async setForwards(attachment: Parameters<NetworkBackend['setForwards']>[0]): Promise<void> {
    this.#note(attachment, this.attached.get(attachment.vps)?.connected ?? false);
  }
  async usage() {
    return { networkIn: 1, networkOut: 2 };
  }
  async setFirewall(spec: FirewallSpec): Promise<void> {
    if (this.failFirewall) throw new Error('no rules today');
    this.firewall = spec;
  }
  async firewallCounts() {
    return new Map();
  }
  async usageOfAll() {
    return new Map();
  }
  async close(): Promise<void> {}

  #note({ vps, forwards }: Parameters<NetworkBackend['admit']>[0], connected: boolean): void {
    this.attached.set(vps, { connected, forwards: forwards.map(({ hostPort }) => hostPort) });
  }
}

/** Images that exist because a test says so; a build makes one, unless its name says how it fails. */
export class NotedImages implements ImageStore {
  readonly records: ImageRecord[] = [];
  /** What is published waits for it. */
  gate: Promise<void> = Promise.resolve();
  #made = 0;

  constructor() {
    this.add('debian/12', 'default');
  }

  add(
    name: string,
    project: string,
    parts: ImageRecord['parts'] = ['rootfs', 'disk', 'kernel'],
  ): ImageRecord {
    const record: ImageRecord = {
      id: `image-${this.#made++}`,
      name,
      project,
      origin: 'a test',
      digest: 'sha256:0',
      parts,
      onDemand: [],
      program: null,
      size: 1000,
      minimumDisk: GIB,
      architecture: 'amd64',
      createdAt: '2026-01-01T00:00:00.000Z',
    };
    this.records.push(record);
    return record;
  }
  async open(): Promise<void> {}
  list(): readonly ImageRecord[] {
    return this.records;
  }
  find(project: string, name: string): ImageRecord | undefined {
    const named = this.records.filter((record) => record.name === name);
    return (
      named.findLast((record) => record.project === project) ??
      named.findLast((record) => record.project === 'default')
    );
  }
  files(id: string) {
    return { id };
  }
  async build(
    ...[project, request, onProgress, signal]: Parameters<ImageStore['build']>
  ): Promise<ImageRecord> {
    onProgress({ step: 'download', done: 1, total: 4, unit: 'items' });
    if (request.name === 'endless') {
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    }
    return this.add(request.name, project);
  }
  async adopt(record: ImageRecord): Promise<ImageRecord> {
    this.records.push(record);
    return record;
  }
  async import(
    ...[project, request, content, onProgress]: Parameters<ImageStore['import']>
  ): Promise<TakenImage> {
    let done = 0;
    for await (const piece of content) {
      done += piece.length;
      onProgress({ step: 'receive the file', done, total: request.size, unit: 'bytes' });
    }
    return { record: this.add(request.name, project, ['rootfs']), warnings: [`${done} bytes came`] };
  }
  async pull(...[project, request]: Parameters<ImageStore['pull']>): Promise<TakenImage> {
    return { record: this.add(request.name, project, ['rootfs']), warnings: [] };
  }
  async publish(...[project, { name }]: Parameters<ImageStore['publish']>): Promise<TakenImage> {
    await this.gate;
    return { record: this.add(name, project, ['rootfs']), warnings: [] };
  }
  async provide(): Promise<void> {}
  async export(...[id]: Parameters<ImageStore['export']>): Promise<ImageExport> {
    return {
      size: id.length,
      content: Readable.from([Buffer.from(id)]),
      ended: Promise.resolve(),
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
  async delete(id: string): Promise<void> {
    this.records.splice(
      this.records.findIndex((record) => record.id === id),
      1,
    );
  }
}

/** Converts nothing, as data of the fake driver has one form; fails when it is told to. */
export class NotedConverter implements DataConverter {
  readonly conversions: Conversion[] = [];
  failure: Error | undefined;
  /** Done to the data before the failure. */
  damage: () => void = () => undefined;

  async convert(conversion: Conversion): Promise<void> {
    this.conversions.push(conversion);
    this.damage();
    if (this.failure !== undefined) throw this.failure;
  }
}

/** Everything below an engine, that outlives it: a host in a temporary directory. */
export class World implements Disposable {
  readonly scratch = scratchDirectory('engine');
  readonly naming: Naming = createNaming(join(this.scratch.path, 'state'), join(this.scratch.path, 'run'));
  readonly pool = new NotedPool(join(this.scratch.path, 'pool'));
  readonly network = new NotedNetwork();
  readonly images = new NotedImages();
  readonly converter = new NotedConverter();
  readonly backups = new FolderBackups(join(this.scratch.path, 'backups'));
  readonly disks = new NotedDisks();
  readonly store: Store = createMemoryStore();
  readonly audit: AuditTrail = createMemoryTrail();
  bootId = 'boot-1';
  memoryAvailable = 16 * GIB;
  clock: () => Date = () => new Date();
  logger: Logger = silentLogger;

  driver(): Driver {
    return createFakeDriver({ naming: this.naming });
  }

  deps(change: Partial<EngineDeps> = {}): EngineDeps {
    const driver = this.driver();
    const techniques: readonly Technique[] = ['os', 'full'];
    return {
      store: this.store,
      audit: this.audit,
      pool: this.pool,
      images: this.images,
      converter: this.converter,
      network: this.network,
      backups: this.backups,
      disks: this.disks,
      networked: true,
      drivers: new Map(techniques.map((technique) => [technique, driver])),
      naming: this.naming,
      logger: this.logger,
      nodeName: 'node-1',
      version: '0.0.0',
      build: 'a test',
      defaultSubnet: '10.77.0.0/24',
      host: () => ({
        distribution: 'Debian',
        kernel: '6.1.0',
        processor: 'a processor',
        cpus: 4,
        memoryTotal: 16 * GIB,
        memoryAvailable: this.memoryAvailable,
        bootId: this.bootId,
      }),
      hostLoad: () => ({
        stolenSeconds: 1,
        cpuWaitedSeconds: 2,
        memoryStalledSeconds: 0,
        ioStalledSeconds: 0,
      }),
      checks: [],
      clock: () => this.clock(),
      timings: { question: 500, step: 2_000, close: 500, health: 2_000 },
      ...change,
    };
  }

  async open(change: Partial<EngineDeps> = {}): Promise<Engine> {
    const engine = createEngine(this.deps(change));
    await engine.open();
    return engine;
  }

  /** What is on the host of VPSs: machines, volumes, places on networks, folders. */
  async holdings(): Promise<Record<'machines' | 'volumes' | 'attached' | 'folders', string[]>> {
    const below = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);
    return {
      machines: await this.driver().leftovers(),
      volumes: await this.pool.listVolumes(),
      attached: [...this.network.attached.keys()],
      folders: [
        ...below(join(this.naming.stateDirectory, 'logs')),
        ...below(join(this.naming.runDirectory, 'vps')),
      ],
    };
  }

  [Symbol.dispose](): void {
    this.scratch[Symbol.dispose]();
  }
}

export const request = (changes: Partial<LaunchInput> = {}) =>
  LaunchRequestSchema.parse({ image: 'debian/12', name: 'web', ...changes });

/** The task when it has ended. @throws Error when it has not in five seconds */
export async function ended(engine: Engine, task: Task | Promise<Task>): Promise<Task> {
  const { id } = await task;
  const last = await engine.tasks.wait(id, 5);
  if (last.state === 'running') throw new Error(`the task still runs: ${JSON.stringify(last.progress)}`);
  return last;
}

/** Waits for a task that should succeed. */
export async function done(engine: Engine, task: Task | Promise<Task>): Promise<Task> {
  const last = await ended(engine, task);
  if (last.state !== 'done') throw new Error(`${last.kind} ${last.state}: ${last.error?.message}`);
  return last;
}

export const PROJECT = 'default';
export const STOP = { timeout: 1, force: false };
export const FORCE = { timeout: 1, force: true };
export const NOTHING = { machines: [], volumes: [], attached: [], folders: [] };
export const fault = (text: string) => ({ env: { MULLION_FAKE_FAULT: text } });

export const failsWith =
  (code: ErrorCode, pattern = /./) =>
  (error: unknown): boolean =>
    error instanceof MullionError && error.code === code && pattern.test(`${error.message} ${error.remedy}`);

/** A test with an engine in a world of its own. */
export function check(title: string, body: (world: World, engine: Engine) => Promise<void>): void {
  test(title, async () => {
    using world = new World();
    const engine = await world.open();
    try {
      await body(world, engine);
    } finally {
      await engine.close();
    }
  });
}
