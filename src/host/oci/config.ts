/**
 * The part of config.json that Mullion writes (OCI runtime specification 1.0.2, config.md and config-linux.md).
 * Names are the specification's.
 */
export interface OciConfig {
  readonly ociVersion: '1.0.2';
  readonly hostname?: string | undefined;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly process: OciProcess;
  readonly mounts: readonly OciMount[];
  readonly linux: OciLinux;
}

export interface OciProcess {
  readonly terminal: boolean;
  readonly consoleSize?: { readonly width: number; readonly height: number } | undefined;
  readonly user: OciUser;
  readonly cwd: string;
  readonly args: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly capabilities: OciCapabilities;
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj?: number | undefined;
  readonly rlimits?: readonly OciRlimit[] | undefined;
}

export interface OciUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids?: readonly number[] | undefined;
}

export interface OciCapabilities {
  readonly bounding: readonly string[];
  readonly effective: readonly string[];
  readonly permitted: readonly string[];
  readonly inheritable: readonly string[];
  readonly ambient: readonly string[];
}

export interface OciRlimit {
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
}

export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface OciIdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface OciDeviceRule {
  readonly allow: boolean;
  readonly type?: 'a' | 'b' | 'c' | undefined;
  readonly major?: number | undefined;
  readonly minor?: number | undefined;
  readonly access: string;
}

export interface OciDevice {
  readonly path: string;
  readonly type: 'b' | 'c';
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface OciSeccompRule {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  /** Number of errno(3). */
  readonly errnoRet?: number | undefined;
  readonly args?:
    | readonly {
        readonly index: number;
        /** With MASKED_EQ: the bits that are looked at. */
        readonly value: number;
        /** With MASKED_EQ: what they must be. */
        readonly valueTwo?: number | undefined;
        readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_GE' | 'SCMP_CMP_MASKED_EQ';
      }[]
    | undefined;
}

export interface OciSeccomp {
  readonly defaultAction: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  /** Number of errno(3) for what no rule names. */
  readonly defaultErrnoRet?: number | undefined;
  readonly architectures: readonly string[];
  readonly syscalls: readonly OciSeccompRule[];
}

export type OciNamespace = 'pid' | 'network' | 'ipc' | 'uts' | 'mount' | 'user' | 'cgroup';

export interface OciLinux {
  readonly namespaces: readonly { readonly type: OciNamespace; readonly path?: string | undefined }[];
  readonly uidMappings: readonly OciIdMapping[];
  readonly gidMappings: readonly OciIdMapping[];
  /** From the root of each hierarchy, with a leading slash. */
  readonly cgroupsPath: string;
  readonly devices?: readonly OciDevice[] | undefined;
  readonly resources: {
    readonly devices?: readonly OciDeviceRule[] | undefined;
    readonly memory?: { readonly limit: number; readonly swap: number } | undefined;
    readonly cpu?: { readonly quota: number; readonly period: number } | undefined;
    readonly pids?: { readonly limit: number } | undefined;
  };
  readonly seccomp?: OciSeccomp | undefined;
  readonly maskedPaths?: readonly string[] | undefined;
  readonly readonlyPaths?: readonly string[] | undefined;
}
