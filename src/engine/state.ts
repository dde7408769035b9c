import * as z from 'zod';
import { MullionError } from '../contract/errors.ts';
import type { Json, Operation, Store, Survival } from '../store/store.ts';
import {
  type FirewallGroupRecord,
  FirewallGroupRecordSchema,
  type NetworkRecord,
  NetworkRecordSchema,
  type ProjectRecord,
  ProjectRecordSchema,
  type RepositoryRecord,
  RepositoryRecordSchema,
  type ScheduleRecord,
  ScheduleRecordSchema,
  type TaskRecord,
  TaskRecordSchema,
  type TemplateRecord,
  TemplateRecordSchema,
  type TokenRecord,
  TokenRecordSchema,
  type VpsRecord,
  VpsRecordSchema,
} from './records.ts';

/** Records of one kind, all in memory; the store has what was committed. */
export class Table<T> {
  readonly #prefix: string;
  readonly #schema: z.ZodType<T>;
  readonly #keyOf: (value: T) => string;
  readonly #values = new Map<string, T>();

  constructor(prefix: string, schema: z.ZodType<T>, keyOf: (value: T) => string) {
    this.#prefix = prefix;
    this.#schema = schema;
    this.#keyOf = keyOf;
  }

  /** @throws MullionError `internal` when a record does not fit its schema */
  async load(store: Store): Promise<void> {
    for (const { key, value } of await store.list(`${this.#prefix}/`)) {
      const parsed = this.#schema.safeParse(value);
      if (!parsed.success) {
        throw new MullionError(
          'internal',
          `The store's record ${key} is damaged: ${z.prettifyError(parsed.error)}`,
        );
      }
      this.#values.set(this.#keyOf(parsed.data), parsed.data);
    }
  }

  get size(): number {
    return this.#values.size;
  }

  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  values(): IterableIterator<T> {
    return this.#values.values();
  }

  /** Changes memory only. */
  set(value: T): void {
    this.#values.set(this.#keyOf(value), value);
  }

  /** Changes memory at once and answers what makes it durable. */
  put(value: T): Operation {
    this.set(value);
    const json: Json = JSON.parse(JSON.stringify(value));
    return { type: 'put', key: this.keyFor(value), value: json };
  }

  drop(value: T): Operation {
    this.#values.delete(this.#keyOf(value));
    return { type: 'delete', key: this.keyFor(value) };
  }

  keyFor(value: T): string {
    return `${this.#prefix}/${this.#keyOf(value)}`;
  }
}

/** All that the engine knows, in memory and in the store. */
export class State {
  readonly store: Store;
  readonly vps = new Table<VpsRecord>('vps', VpsRecordSchema, ({ id }) => id);
  readonly networks = new Table<NetworkRecord>(
    'network',
    NetworkRecordSchema,
    ({ project, name }) => `${project}/${name}`,
  );
  readonly projects = new Table<ProjectRecord>('project', ProjectRecordSchema, ({ name }) => name);
  readonly tasks = new Table<TaskRecord>('task', TaskRecordSchema, ({ id }) => id);
  readonly repositories = new Table<RepositoryRecord>('repository', RepositoryRecordSchema, ({ id }) => id);
  readonly templates = new Table<TemplateRecord>('template', TemplateRecordSchema, ({ id }) => id);
  readonly schedules = new Table<ScheduleRecord>('schedule', ScheduleRecordSchema, ({ id }) => id);
  readonly tokens = new Table<TokenRecord>('token', TokenRecordSchema, ({ id }) => id);

  readonly firewallGroups = new Table<FirewallGroupRecord>(
    'firewall-group',
    FirewallGroupRecordSchema,
    ({ project, name }) => `${project}/${name}`,
  );

  constructor(store: Store) {
    this.store = store;
  }

  async load(): Promise<void> {
    const { vps, networks, projects, tasks, repositories, schedules, tokens } = this;
    const tables = [vps, networks, projects, tasks, repositories, schedules, tokens];
    for (const table of [...tables, this.firewallGroups, this.templates]) {
      await table.load(this.store);
    }
  }

  /** Makes changes durable, all or none, when none of the `absent` keys exists; answers whether it did. */
  async commit(
    operations: readonly Operation[],
    absent: readonly string[] = [],
    survival: Survival = 'machine',
  ): Promise<boolean> {
    const compares = absent.map((key) => ({ key, revision: 0 }));
    return (await this.store.transact(compares, operations, survival)).ok;
  }

  findVps(project: string, name: string): VpsRecord | undefined {
    return [...this.vps.values()].find((record) => record.name === name && record.project === project);
  }

  /** @throws not_found */
  requireVps(project: string, name: string): VpsRecord {
    const record = this.findVps(project, name);
    if (record !== undefined) return record;
    throw new MullionError('not_found', `There is no VPS ${name} in the project ${project}.`, {
      remedy: 'See what there is with: mullion list',
      details: { project, name },
    });
  }

  /** @throws not_found */
  requireProject(name: string): ProjectRecord {
    const project = this.projects.get(name);
    if (project !== undefined) return project;
    throw new MullionError('not_found', `There is no project ${name}.`, {
      remedy: `See what there is with: mullion project list; create it with: mullion project create ${name}`,
      details: { project: name },
    });
  }

  vpsOfProject(project: string): VpsRecord[] {
    return [...this.vps.values()].filter((record) => record.project === project);
  }
}

/** Keys that exist at most once, so that two launches of one name, slot, address or port cannot both commit. */
export const claims = {
  name: (project: string, name: string): string => `claim/name/${project}/${name}`,
  slot: (slot: number): string => `claim/slot/${slot}`,
  address: (project: string, network: string, ipv4: string): string =>
    `claim/address/${project}/${network}/${ipv4}`,
  forward: (protocol: string, hostPort: number): string => `claim/forward/${protocol}/${hostPort}`,
  networkIndex: (index: number): string => `claim/network/${index}`,
};

/** Every claim that a VPS holds. */
export const claimsOf = (record: VpsRecord): string[] => [
  claims.name(record.project, record.name),
  claims.slot(record.slot),
  claims.address(record.project, record.network, record.ipv4),
  ...record.forwards.map(({ protocol, hostPort }) => claims.forward(protocol, hostPort)),
];
