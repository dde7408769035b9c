import type { Duplex, Readable, Writable } from 'node:stream';
import type { DiskRates } from '../contract/rates.ts';
import type { FileEntry, ImagePart, ImageProgram } from '../contract/resources.ts';
import type { ExecRequest, Signal, Window } from '../contract/streams.ts';
import type { DriverName, Features, Technique, TechniqueReport } from '../contract/techniques.ts';
import type { Bus, Firmware, Limits } from '../contract/vps.ts';
import type { EndKind } from '../core/restart-policy.ts';
import type { CgroupMeters } from '../host/cgroup-meters.ts';

/** Where an image's parts lie on this host. */
export interface ImageFiles {
  readonly id: string;
  /** Folder of the root file system, ids on disk as inside. */
  readonly rootfs?: string | undefined;
  /** Raw disk image, a file system without partitions. */
  readonly disk?: string | undefined;
  /** Raw disk image with partitions and a boot loader of its own. */
  readonly bootDisk?: string | undefined;
  /** ISO 9660 image, to boot or install from. */
  readonly iso?: string | undefined;
  /** The first program of an image that has no init system. */
  readonly program?: ImageProgram | undefined;
  readonly kernel?: { readonly vmlinuz: string; readonly initramfs: string } | undefined;
}

export interface NicSpec {
  /** The host's side: a veth end or a tap; made by `core/naming.ts`. */
  readonly hostLink: string;
  /** The guest's name for it, for example eth0. */
  readonly guestLink: string;
  readonly mac: string;
  readonly addresses: readonly {
    readonly address: string;
    readonly prefix: number;
    readonly gateway: string;
  }[];
  readonly nameservers: readonly string[];
  readonly domain: string;
}

/** All that a driver needs to know of a VPS; nothing in it is looked up elsewhere. */
export interface Machine {
  readonly id: string;
  readonly name: string;
  readonly project: string;
  readonly technique: Technique;
  readonly limits: Limits;
  /** Host ids that only this VPS uses; inside they are 0 to count-1. */
  readonly ids: { readonly base: number; readonly count: number };
  /** The VPS's own volume; `upper/` and `work/`, or `disk.raw`, lie in it. */
  readonly volume: string;
  readonly image: ImageFiles;
  readonly runDirectory: string;
  readonly logDirectory: string;
  readonly cgroup: string;
  readonly nics: readonly NicSpec[];
  /** Of a guest that boots by a loader of its own; the driver finds out what is absent. */
  readonly firmware?: Firmware | undefined;
  readonly bus?: Bus | undefined;
  readonly machineId: string;
  readonly env: Readonly<Record<string, string>>;
  readonly sshKeys: readonly string[];
  readonly userData?: string | undefined;
  /** Started only for its memory to be saved, of which other machines are made. */
  readonly template?: boolean | undefined;
}

/** How the network reaches a prepared machine. */
export type Link =
  | { readonly kind: 'netns'; readonly pid: number }
  | { readonly kind: 'tap'; readonly hostLink: string }
  | { readonly kind: 'none' };

/** The end of a machine that is being prepared: a network namespace, by a descriptor of this process. */
export interface EarlyLink {
  readonly kind: 'netns';
  readonly fd: number;
}

/** What a driver needs to find its machine again after a daemon restart: small, JSON, persisted by the engine. */
export interface Handle {
  /** Of the machine's first process; where it has none, a number that tells it from the host's other machines. */
  readonly pid: number;
  /** Start time of `pid` in clock ticks since boot (proc(5), stat field 22): tells a reused pid. */
  readonly pidStart: number;
  readonly data: Readonly<Record<string, string | number | boolean>>;
}

export type Connect = (link: EarlyLink) => Promise<void>;

export interface Prepared {
  readonly handle: Handle;
  readonly link: Link;
}

/** How and why a machine ended. */
export interface MachineEnd {
  readonly kind: EndKind;
  /** In words, for people. */
  readonly reason: string;
}

export type Condition = 'gone' | 'prepared' | 'running' | 'paused';

export interface DriverUsage {
  readonly cpuSeconds: number;
  readonly memory: number;
  /** Undefined when only the guest knows, and it does not say. */
  readonly processes: number | undefined;
}

/** What the host has counted of a machine without asking its guest: cheap, and true whatever the guest says. */
export interface DriverMeters extends CgroupMeters {
  readonly cpuSeconds: number;
  readonly memory: number;
  /** Undefined when only the guest knows. */
  readonly processes: number | undefined;
}

/** A command that runs in a guest. With a tty, `stderr` is absent. */
export interface ExecSession {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr?: Readable | undefined;
  /** Exit code; 128 + n after signal n. Settles after the streams have ended. */
  readonly exit: Promise<number>;
  resize(window: Window): void;
  signal(signal: Signal): void;
  /** Ends it and frees what it holds; safe to call twice. */
  close(): void;
}

export interface ExecAbility {
  exec(machine: Machine, handle: Handle, request: ExecRequest): Promise<ExecSession>;
}
/** A live console. A console that has a size takes the one of the terminal that was resized last. */
export interface ConsoleStream extends Duplex {
  resize?(window: Window): void;
}
export interface ConsoleAbility {
  /** Several may be attached at once; closing one touches nothing else. */
  openConsole(machine: Machine, handle: Handle, window?: Window): Promise<ConsoleStream>;
}
export interface LogsAbility {
  /** What the console showed; plain bytes. Works on a stopped VPS too. `follow` ends when the VPS stops or on abort. */
  readLogs(
    machine: Machine,
    options: { readonly follow: boolean; readonly lines?: number | undefined; readonly signal: AbortSignal },
  ): Promise<Readable>;
}
export interface FilesAbility {
  pull(machine: Machine, handle: Handle, path: string): Promise<Readable>;
  push(machine: Machine, handle: Handle, path: string, content: Readable, mode: number): Promise<void>;
  list(machine: Machine, handle: Handle, path: string): Promise<FileEntry[]>;
}
export interface PauseAbility {
  pause(machine: Machine, handle: Handle): Promise<void>;
  resume(machine: Machine, handle: Handle): Promise<void>;
}
/** Of machines that stand still, instead of failing, while there is no room for what they write to their disk. */
export interface StallAbility {
  /** Whether it stands still for that reason now; `recover` calls such a machine paused. */
  isStalled(machine: Machine, handle: Handle): Promise<boolean>;
  /** Calls back whenever it may have come to that. Returns the way to stop listening. */
  onStall(machine: Machine, handle: Handle, listener: () => void): () => void;
  /** Has it write once more what it could not; without room it stands still again. */
  retry(machine: Machine, handle: Handle): Promise<void>;
}
export interface LimitsAbility {
  /** Applies what `features` marks as live. The volume's own limit is the storage's. */
  setLimits(machine: Machine, handle: Handle, limits: Limits): Promise<void>;
}
export interface DiskRatesAbility {
  /** Of a running machine; `prepare` applies those of `Machine.limits`. @throws not_supported where its disk has none */
  setDiskRates(machine: Machine, handle: Handle, rates: DiskRates): Promise<void>;
}
export interface HealthAbility {
  /** Present where it is the guest's agent that tells, without which no command and no file reaches the guest. */
  readonly agent?: {
    /** Whether it has answered since the guest's start, as far as is known without asking. */
    hasAnswered(machine: Machine): boolean;
  };
  /** True once the guest's own system answers. Cheap enough to ask every second. */
  isReady(machine: Machine, handle: Handle): Promise<boolean>;
}
export interface DisplayAbility {
  /** The screen as it is now, as PNG. */
  screenshot(machine: Machine, handle: Handle): Promise<Buffer>;
  /** A connection of the remote framebuffer protocol (RFC 6143); several may be open at once. */
  openDisplay(machine: Machine, handle: Handle): Promise<Duplex>;
}
/** What is saved of a machine's memory in its volume. */
export interface SavedMemory {
  /** Why a start cannot go on from it on this host, as the machine is now; undefined when it can. */
  readonly unfit: string | undefined;
}
export interface MemoryAbility {
  /** Bytes that `save` writes at most. */
  room(machine: Machine): number;
  /**
   * Holds the machine still and writes its memory into its volume. Until `PauseAbility.resume` lets it go on, what is
   * there fits the data beside it: the next start from that volume, as it was at any time between, goes on from there
   * instead of booting, once. A driver that can gives up when `signal` aborts.
   */
  save(machine: Machine, handle: Handle, signal?: AbortSignal): Promise<void>;
  /** What lies in the volume, also of a machine that does not run; undefined when nothing does. */
  saved(machine: Machine): Promise<SavedMemory | undefined>;
  /** Takes it out of the volume, what is half written too; the next start boots. */
  drop(machine: Machine): Promise<void>;
}
/**
 * Starts from memory that is shared by copy-on-write. A template is a machine with `Machine.template`, whose memory was
 * saved once it had booted and settled; a machine on a copy of its volume goes on from there as itself: `start` gives
 * it its identity, clock and random numbers before it has a link.
 */
export interface WarmAbility {
  /** All that a template depends on besides its image and limits; another one makes it void. */
  basis(technique: Technique): Promise<string>;
  /** Waits until the guest has booted wholly, and takes out what no two servers may share. @throws image_unfit */
  settle(machine: Machine, handle: Handle): Promise<void>;
}
export interface FreezeAbility {
  /**
   * Brings the guest's file systems to rest. They go on by themselves once `limitMs` is over, whatever becomes of the caller.
   */
  freeze(machine: Machine, handle: Handle, limitMs: number): Promise<void>;
  /** Lets them go on; false when they did so before. Safe to repeat. */
  thaw(machine: Machine, handle: Handle): Promise<boolean>;
}

/**
 * The narrow seam of a virtualization technique. Every call is safe to repeat; `remove` also frees what a `prepare`
 * that was killed half-way left behind. Optional abilities are absent where the driver cannot do them.
 */
export interface Driver {
  readonly name: DriverName;
  readonly techniques: readonly Technique[];
  /** Parts an image must have, so that the driver boots it. */
  needs(technique: Technique): readonly ImagePart[];
  /** Parts of which any is enough instead: the guest boots by a loader of its own, as nobody prepared it. Absent: none. */
  foreign?(technique: Technique): readonly ImagePart[];
  /** What it can do; with an image's parts, what it can do for guests of that image. */
  features(technique: Technique, parts?: readonly ImagePart[]): Features;
  /**
   * Proves by trying, within seconds, what this host can run. What was proved before may be remembered, unless it is to be
   * proved `anew`.
   */
  probe(technique: Technique, anew?: boolean): Promise<TechniqueReport>;
  /** Fills the machine's new empty volume from its image: `upper/` and `work/`, or a clone of the disk. */
  populate(machine: Machine): Promise<void>;
  /**
   * Makes the machine's processes, stopped before the guest's first instruction. Where its end of the network is there
   * before them, `connect` may be called with it; what is prepared then is connected, and fails when that fails.
   */
  prepare(machine: Machine, connect?: Connect): Promise<Prepared>;
  /** Lets the prepared guest run. */
  start(machine: Machine, handle: Handle): Promise<void>;
  /** Asks the guest to shut down and waits for its end; true when it ended within the time. */
  shutdown(machine: Machine, handle: Handle, timeoutMs: number): Promise<boolean>;
  /** Kills what is left and frees processes, mounts, cgroups and files of the run directory. Works without a handle. */
  remove(machine: Machine, handle: Handle | undefined): Promise<void>;
  /** What became of the machine since; asked after a daemon restart. */
  recover(machine: Machine, handle: Handle): Promise<Condition>;
  /**
   * Calls back once when the machine's processes have ended, for whatever reason; a guest that starts anew within them
   * has not ended. Returns the way to stop listening.
   */
  onExit(machine: Machine, handle: Handle, listener: (end: MachineEnd) => void): () => void;
  usage(machine: Machine, handle: Handle): Promise<DriverUsage>;
  /** Absent where the host counts nothing of a machine. */
  meters?(machine: Machine): DriverMeters;
  /** Ids of machines of which this host still holds processes, mounts or cgroups of this driver. */
  leftovers(): Promise<string[]>;
  /** Closes every connection to machines, which go on; a call after it opens what it needs again. Absent: it holds none. */
  close?(): void;

  /** Takes what must be no other VPS's out of data that was copied from one; before the first start. */
  individualize?(machine: Machine): Promise<void>;
  readonly exec?: ExecAbility;
  readonly console?: ConsoleAbility;
  readonly logs?: LogsAbility;
  readonly files?: FilesAbility;
  readonly pause?: PauseAbility;
  readonly stall?: StallAbility;
  readonly limits?: LimitsAbility;
  readonly diskRates?: DiskRatesAbility;
  readonly health?: HealthAbility;
  readonly freeze?: FreezeAbility;
  readonly display?: DisplayAbility;
  readonly memory?: MemoryAbility;
  readonly warm?: WarmAbility;
}
