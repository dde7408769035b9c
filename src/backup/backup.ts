import type { Readable } from 'node:stream';

/** A place outside the pool that holds backups. `id` names its secrets on this host. */
export interface RepositoryPlace {
  readonly id: string;
  readonly url: string;
}

export interface RepositorySecrets {
  /** Opens a repository that exists; absent: one is made, with a new key. */
  readonly key?: string | undefined;
  readonly credentials?: string | undefined;
  readonly knownHosts?: string | undefined;
}

/** Small facts that are kept beside a saved folder and can be listed without reading it. */
export type Labels = Readonly<Record<string, string>>;

/** A folder as it was saved once. */
export interface SavedFolder {
  readonly id: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly labels: Labels;
}

export interface SaveProgress {
  readonly done: number;
  readonly total: number;
}

/** Answers ids; asked with what there is, oldest first, and asked again whenever another program was waited for. */
export type Choice = (all: readonly SavedFolder[]) => readonly string[];

/** Files of a folder that are disks. */
export interface DiskFiles {
  /** Regular files at the top. */
  readonly names: readonly string[];
  /** An instant before the folder was copied off what is written to. */
  readonly copiedAfter: Date;
}

export interface SaveRequest {
  readonly folder: string;
  /**
   * Given for a folder that is only there to be saved: its disks may be replaced by what holds the same, and are
   * restored as they were.
   */
  readonly disks?: DiskFiles | undefined;
  /** Files are unchanged when size and time of last modification are: nobody but this host sets those of this folder. */
  readonly trustTimes?: boolean | undefined;
  readonly labels: Labels;
  /** Files that did not change since this one was saved are not read again. */
  readonly parent?: string | undefined;
  readonly onProgress: (progress: SaveProgress) => void;
  readonly signal: AbortSignal;
}

export interface SaveResult {
  readonly saved: SavedFolder;
  /** Bytes of the folder's files, without the holes of its disks where those are left out. */
  readonly size: number;
  /** Bytes that the repository did not have. */
  readonly added: number;
}

export interface RestoreRequest {
  /** An empty folder that exists. */
  readonly target: string;
  /** Names at the top of the saved folder that are left out. */
  readonly except?: readonly string[] | undefined;
  /** Reads back what was written and compares it. */
  readonly verify?: boolean | undefined;
  readonly signal: AbortSignal;
}

export interface SavedNode {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'whiteout' | 'other';
  readonly size: number;
  /** Permissions: the low nine bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly target: string;
  /** A folder that hides what lies under it in a lower layer (overlayfs). */
  readonly opaque: boolean;
}

/** Whether the component behind backups is there. */
export interface BackupProbe {
  readonly available: boolean;
  readonly version: string;
  readonly reason: string;
  readonly remedy: string;
}

/**
 * Where backups go: encrypted, deduplicated repositories. Saved folders keep ownership, modes, extended attributes,
 * device nodes and links; regular files at the top of one are disks, and are restored with their holes. Secrets stay in
 * files of mode 0600; no argument, environment or log holds them. Every call but `save` is safe to repeat.
 * @throws not_found, forbidden (the key does not fit), in_use (locked), insufficient_disk, repository_unreachable,
 *   backup_damaged, command_failed, cancelled
 */
export interface BackupBackend {
  readonly name: string;
  probe(): Promise<BackupProbe>;
  /** Opens the repository, or makes it. What fails leaves no secrets. @throws already_exists */
  add(place: RepositoryPlace, secrets: RepositorySecrets, signal: AbortSignal): Promise<void>;
  /** Forgets the secrets and what was cached of it; what is in it stays. */
  remove(place: RepositoryPlace): Promise<void>;
  key(place: RepositoryPlace): Promise<string>;
  /** Oldest first. */
  list(place: RepositoryPlace, signal: AbortSignal): Promise<SavedFolder[]>;
  /**
   * Whether all that it should hold is there, without reading the data. A save does not notice: it leaves away what it
   * believes to be there. What other programs delete meanwhile may seem to be lost, unless it is `alone`: then they are
   * waited for, and wait.
   */
  check(place: RepositoryPlace, signal: AbortSignal, alone?: boolean): Promise<void>;
  save(place: RepositoryPlace, request: SaveRequest): Promise<SaveResult>;
  restore(place: RepositoryPlace, id: string, request: RestoreRequest): Promise<void>;
  /** One node of a saved folder, by its path in it, for example `upper/etc/passwd`; links are not followed. */
  look(place: RepositoryPlace, id: string, path: string, signal: AbortSignal): Promise<SavedNode | undefined>;
  /** What lies in a folder of a saved folder; none when there is no such folder. */
  entries(place: RepositoryPlace, id: string, path: string, signal: AbortSignal): Promise<SavedNode[]>;
  /** The content of a regular file. The stream fails when the content cannot be read whole. */
  read(place: RepositoryPlace, id: string, path: string, signal: AbortSignal): Promise<Readable>;
  /** Forgets saved folders, and frees what only they held. Ids that are gone are fine. */
  forget(place: RepositoryPlace, which: readonly string[] | Choice, signal: AbortSignal): Promise<void>;
  /** Ids of places of which this host holds secrets. */
  places(): Promise<string[]>;
}

/** Reads what guests wrote on their disks: hostile, so without any privilege and never by the host's kernel. */
export interface DiskInspector {
  /** Checks the file system of each disk of a volume that nothing uses. @throws backup_damaged */
  check(volume: string, signal: AbortSignal): Promise<void>;
  /** The content of a regular file on a disk; the disk may be changed on the way. @throws not_found, not_supported */
  read(disk: string, path: string, signal: AbortSignal): Promise<Readable>;
}
