import type { Duplex, Readable } from 'node:stream';
import type { AuditEntry } from '../contract/audit.ts';
import type {
  AddRepositoryRequest,
  Backup,
  CreateBackupRequest,
  Repository,
  RepositoryKey,
  RestoreBackupRequest,
  Schedule,
  SetScheduleRequest,
} from '../contract/backups.ts';
import type { CreateGroupRequest, FirewallGroup, FirewallRule } from '../contract/firewall.ts';
import type {
  ExportImageRequest,
  ImportImageRequest,
  PublishImageRequest,
  PullImageRequest,
} from '../contract/image-requests.ts';
import type {
  BuildImageRequest,
  Check,
  CreateNetworkRequest,
  CreateProjectRequest,
  FileEntry,
  Image,
  LaunchPlan,
  Network,
  Pool,
  PoolUsage,
  Project,
  ServerInfo,
} from '../contract/resources.ts';
import type { CopyRequest, CreateSnapshotRequest, Snapshot } from '../contract/snapshots.ts';
import type { ExecRequest, Window } from '../contract/streams.ts';
import type { Event, Task } from '../contract/tasks.ts';
import type { TechniqueReport } from '../contract/techniques.ts';
import type { CreateTokenRequest, NewToken, Token } from '../contract/tokens.ts';
import type {
  ConvertRequest,
  Forward,
  LaunchRequest,
  SetRequest,
  StopRequest,
  Vps,
  VpsInfo,
} from '../contract/vps.ts';
import type { Identity } from '../core/access.ts';
import type { Counters } from '../core/counters.ts';
import type { ConsoleStream, ExecSession } from '../drivers/driver.ts';

export type { ConsoleStream, ExecSession } from '../drivers/driver.ts';

/**
 * The verbs on VPSs. Every verb that takes long answers with its task at once, after all that can be refused was
 * refused by throwing; what fails later stands in the task.
 */
export interface VpsVerbs {
  list(project: string): Promise<Vps[]>;
  /** @throws not_found */
  info(project: string, name: string): Promise<VpsInfo>;
  launch(project: string, request: LaunchRequest): Promise<Task>;
  /** What `launch` would do, refused for the same reasons. */
  plan(project: string, request: LaunchRequest): Promise<LaunchPlan>;
  set(project: string, name: string, changes: SetRequest): Promise<Task>;
  /** @throws wrong_state while it runs, unless `force` */
  delete(project: string, name: string, options: { readonly force: boolean }): Promise<Task>;
  /** @throws already_exists, not_found; wrong_state where a running VPS cannot be copied */
  copy(project: string, name: string, request: CopyRequest): Promise<Task>;
  /** @throws already_exists, not_found */
  rename(project: string, name: string, next: string): Promise<Task>;
  /** @throws technique_unavailable, image_unfit, conversion_refused */
  convert(project: string, name: string, request: ConvertRequest): Promise<Task>;
  start(project: string, name: string): Promise<Task>;
  stop(project: string, name: string, request: StopRequest): Promise<Task>;
  restart(project: string, name: string, request: StopRequest): Promise<Task>;
  pause(project: string, name: string): Promise<Task>;
  resume(project: string, name: string): Promise<Task>;
  /**
   * Waits for the agent of a guest that boots, unless `gone` is aborted meanwhile.
   * @throws guest_unresponsive, wrong_state, cancelled
   */
  exec(
    project: string,
    name: string,
    request: ExecRequest,
    gone?: AbortSignal | undefined,
  ): Promise<ExecSession>;
  console(project: string, name: string, window?: Window): Promise<ConsoleStream>;
  /** A picture of its screen, PNG. @throws not_supported without one */
  screenshot(project: string, name: string): Promise<Readable>;
  /** The remote framebuffer protocol (RFC 6143). @throws not_supported without a screen */
  display(project: string, name: string): Promise<Duplex>;
  logs(
    project: string,
    name: string,
    options: { readonly follow: boolean; readonly lines?: number | undefined; readonly signal: AbortSignal },
  ): Promise<Readable>;
}

export interface SnapshotVerbs {
  /** Oldest first. */
  list(project: string, name: string): Promise<Snapshot[]>;
  /** @throws already_exists, not_supported */
  create(project: string, name: string, request: CreateSnapshotRequest): Promise<Task>;
  /** What runs is killed, and started again from the snapshot. @throws not_found, not_supported */
  restore(project: string, name: string, snapshot: string): Promise<Task>;
  /** @throws not_found */
  delete(project: string, name: string, snapshot: string): Promise<Task>;
}

export interface FileVerbs {
  pull(project: string, name: string, path: string): Promise<Readable>;
  /** `mode`: permission bits. */
  push(project: string, name: string, path: string, content: Readable, mode: number): Promise<void>;
  list(project: string, name: string, path: string): Promise<FileEntry[]>;
}

export interface ForwardVerbs {
  list(project: string, name: string): Promise<Forward[]>;
  /** @throws in_use when the host port is taken */
  add(project: string, name: string, forward: Forward): Promise<Forward>;
  remove(project: string, name: string, protocol: Forward['protocol'], hostPort: number): Promise<void>;
}

export interface ImageVerbs {
  /** The project's images and those of the project `default`. */
  list(project: string): Promise<Image[]>;
  info(project: string, name: string): Promise<Image>;
  build(project: string, request: BuildImageRequest): Promise<Task>;
  /** The task waits for its file, by `upload`. */
  import(project: string, request: ImportImageRequest): Promise<Task>;
  pull(project: string, request: PullImageRequest): Promise<Task>;
  /** A VPS, or one of its snapshots, becomes an image, without what makes it this VPS. */
  publish(project: string, request: PublishImageRequest): Promise<Task>;
  /** The task waits for its reader, by `download`. */
  export(project: string, name: string, request: ExportImageRequest): Promise<Task>;
  upload(task: string, content: Readable): Promise<void>;
  download(task: string): Promise<Readable>;
  /** @throws in_use */
  delete(project: string, name: string): Promise<Task>;
}

export interface NetworkVerbs {
  list(project: string): Promise<Network[]>;
  info(project: string, name: string): Promise<Network>;
  create(project: string, request: CreateNetworkRequest): Promise<Network>;
  /** @throws in_use */
  delete(project: string, name: string): Promise<void>;
}

export interface FirewallVerbs {
  list(project: string): Promise<FirewallGroup[]>;
  info(project: string, name: string): Promise<FirewallGroup>;
  create(project: string, request: CreateGroupRequest): Promise<FirewallGroup>;
  /** @throws in_use while it has members or a rule names it */
  delete(project: string, name: string): Promise<void>;
  /** @throws not_found when its peer is not there */
  addRule(project: string, name: string, rule: FirewallRule): Promise<FirewallGroup>;
  /** `number`: from 1. */
  removeRule(project: string, name: string, number: number): Promise<FirewallGroup>;
  join(project: string, name: string, vps: string): Promise<FirewallGroup>;
  leave(project: string, name: string, vps: string): Promise<FirewallGroup>;
}

export interface ProjectVerbs {
  list(): Promise<Project[]>;
  info(name: string): Promise<Project>;
  create(request: CreateProjectRequest): Promise<Project>;
  /** @throws in_use unless it is empty */
  delete(name: string): Promise<void>;
}

export interface PoolVerbs {
  list(): Promise<Pool[]>;
  info(name: string): Promise<Pool>;
  /** `size`: bytes of the whole pool. */
  grow(name: string, size: number): Promise<Task>;
  /** Reads all data and compares it with its checksums. @throws not_supported */
  check(name: string): Promise<Task>;
  /** What VPSs, their snapshots, images and memory templates hold; measured now, which may take seconds. */
  usage(name: string): Promise<PoolUsage[]>;
}

export interface BackupVerbs {
  repositories(project: string): Promise<Repository[]>;
  /** @throws already_exists, forbidden, repository_unreachable */
  addRepository(project: string, request: AddRepositoryRequest): Promise<Repository>;
  /** Its content stays. @throws in_use while a schedule uses it */
  removeRepository(project: string, name: string): Promise<void>;
  repositoryKey(project: string, name: string): Promise<RepositoryKey>;
  /** Oldest first. */
  list(
    project: string,
    filter: { readonly vps?: string | undefined; readonly repository?: string | undefined },
  ): Promise<Backup[]>;
  create(project: string, request: CreateBackupRequest): Promise<Task>;
  delete(project: string, id: string): Promise<Task>;
  verify(project: string, id: string): Promise<Task>;
  restore(project: string, id: string, request: RestoreBackupRequest): Promise<Task>;
  /** The content of one regular file. */
  file(project: string, id: string, path: string, signal: AbortSignal): Promise<Readable>;
  schedule(project: string, vps: string): Promise<Schedule>;
  setSchedule(project: string, vps: string, request: SetScheduleRequest): Promise<Schedule>;
  removeSchedule(project: string, vps: string): Promise<void>;
}

export interface TaskVerbs {
  /** Newest first. */
  list(project: string): Promise<Task[]>;
  get(id: string): Promise<Task>;
  /** The task when it has ended, or as it is after `seconds`. */
  wait(id: string, seconds: number): Promise<Task>;
  /** Asks the task to end; it does at its next safe point. @throws wrong_state when it cannot be cancelled */
  cancel(id: string): Promise<Task>;
}

export interface TokenVerbs {
  list(): Promise<Token[]>;
  /** `createdBy`: for the list. @throws already_exists, not_found when there is no such project */
  create(request: CreateTokenRequest, createdBy: string): Promise<NewToken>;
  /** @throws not_found */
  delete(name: string): Promise<void>;
  /** Whose token it is, now; undefined when it is nobody's or has expired. In constant time. */
  verify(token: string): Identity | undefined;
}

export interface AuditVerbs {
  record(entry: Omit<AuditEntry, 'time'>): void;
  /** The last ones, oldest first. */
  list(lines: number): Promise<AuditEntry[]>;
}

export interface EventFilter {
  readonly project?: string | undefined;
  /** Only events of this task. */
  readonly task?: string | undefined;
  /** Events that are still remembered and greater than this id come first. */
  readonly after?: number | undefined;
}

/** All that Mullion does on one node; the API is a thin layer over it. */
export interface Engine {
  readonly vps: VpsVerbs;
  readonly snapshots: SnapshotVerbs;
  readonly files: FileVerbs;
  readonly forwards: ForwardVerbs;
  readonly images: ImageVerbs;
  readonly networks: NetworkVerbs;
  readonly firewall: FirewallVerbs;
  readonly projects: ProjectVerbs;
  readonly pools: PoolVerbs;
  readonly backups: BackupVerbs;
  readonly tasks: TaskVerbs;
  readonly tokens: TokenVerbs;
  readonly audit: AuditVerbs;
  readonly events: {
    /** Ends when `signal` aborts, or when the engine closes. A reader that is too slow loses the oldest events. */
    subscribe(filter: EventFilter, signal: AbortSignal): AsyncIterable<Event>;
  };
  /** What this process has counted; whoever serves requests counts them here. */
  readonly counters: Counters;
  /** The state of the whole node in the text format of Prometheus; asks no guest. */
  metrics(): Promise<string>;
  /** Probes are kept; `refresh` probes again. */
  techniques(refresh: boolean): Promise<TechniqueReport[]>;
  doctor(): Promise<Check[]>;
  serverInfo(): Promise<ServerInfo>;
  /** Adopts what runs, finishes or undoes what was under way, removes what nobody owns. */
  open(): Promise<void>;
  /** Waits for running steps, stops listening; touches no guest. */
  close(): Promise<void>;
}
