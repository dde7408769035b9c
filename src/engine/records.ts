import * as z from 'zod';
import { DEFAULT_AUTOSTART } from '../contract/autostart-policies.ts';
import { RetentionSchema } from '../contract/backups.ts';
import { FirewallRuleSchema } from '../contract/firewall.ts';
import { DEFAULT_RESTART } from '../contract/restart-policies.ts';
import { SnapshotSchema } from '../contract/snapshots.ts';
import { TaskSchema } from '../contract/tasks.ts';
import { DriverNameSchema, TechniqueSchema } from '../contract/techniques.ts';
import { TokenSchema } from '../contract/tokens.ts';
import {
  AutostartPolicySchema,
  BusSchema,
  EnvSchema,
  FirmwareSchema,
  ForwardSchema,
  HealthSchema,
  LimitsSchema,
  RestartPolicySchema,
  VpsStateSchema,
} from '../contract/vps.ts';
import { NO_REVIVAL } from '../core/restart-policy.ts';

const LinkSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('netns'), pid: z.number() }),
  z.strictObject({ kind: z.literal('tap'), hostLink: z.string() }),
  z.strictObject({ kind: z.literal('none') }),
]);

/** What finds a machine again after a restart of the daemon. Void once the host has restarted: `bootId` tells. */
const RuntimeSchema = z.strictObject({
  bootId: z.string(),
  handle: z.strictObject({
    pid: z.number(),
    pidStart: z.number(),
    data: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  }),
  link: LinkSchema,
});
export type Runtime = z.infer<typeof RuntimeSchema>;

const ConvertErrandSchema = z.strictObject({
  kind: z.literal('convert'),
  technique: TechniqueSchema,
  reason: z.string(),
  /** What it was, and is again when anything fails. */
  former: z.strictObject({ technique: TechniqueSchema, reason: z.string() }),
  /** Snapshot that keeps the data as it was. */
  kept: z.string(),
});
export type ConvertErrand = z.infer<typeof ConvertErrandSchema>;
const ErrandSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.enum(['restoreSnapshot', 'deleteSnapshot']),
    snapshot: z.string(),
  }),
  z.strictObject({
    kind: z.literal('createSnapshot'),
    snapshot: z.string(),
    stateful: z.boolean().optional(),
  }),
  ConvertErrandSchema,
]);

/** Without `technique` it is that of the VPS: a conversion notes it. */
const SnapshotRecordSchema = SnapshotSchema.partial({ technique: true });
export type SnapshotRecord = z.infer<typeof SnapshotRecordSchema>;

/** One VPS: what is wanted of it and what was last seen. */
export const VpsRecordSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  project: z.string(),
  /** Small number, unique on the node; names its link and its range of host ids. */
  slot: z.number().int(),
  technique: TechniqueSchema,
  driver: DriverNameSchema,
  reason: z.string(),
  image: z.string(),
  imageId: z.string(),
  limits: LimitsSchema,
  env: EnvSchema,
  sshKeys: z.array(z.string()),
  userData: z.string().optional(),
  network: z.string(),
  ipv4: z.string(),
  ipv6: z.string(),
  mac: z.string(),
  machineId: z.string(),
  forwards: z.array(ForwardSchema),
  snapshots: z.array(SnapshotRecordSchema).default([]),
  autostart: AutostartPolicySchema.default(DEFAULT_AUTOSTART),
  createdAt: z.string(),
  /** Of a guest that boots by a loader of its own. */
  firmware: FirmwareSchema.optional(),
  bus: BusSchema.optional(),
  /** Has no link: it was restored only to be looked at. */
  isolated: z.boolean().optional(),

  goal: z.enum(['absent', 'stopped', 'running', 'paused']),
  /** To be stopped before the goal is pursued. */
  bounce: z.boolean(),
  /** To be done before the goal is pursued. */
  errand: ErrandSchema.nullable().default(null),
  /** Where its data is to be copied from; null once it is. */
  copyOf: z
    .strictObject({
      vps: z.string(),
      snapshot: z.string().optional(),
      /** `vps` is the id of a template, whose memory is copied too. */
      template: z.boolean().optional(),
    })
    .nullable()
    .default(null),
  shutdownMs: z.number(),

  state: VpsStateSchema,
  health: HealthSchema,
  message: z.string(),
  startedAt: z.string().nullable(),
  observed: z.strictObject({
    recorded: z.boolean(),
    volume: z.enum(['none', 'partial', 'filled']),
    machine: z.enum(['none', 'remains', 'prepared', 'running', 'paused']),
    network: z.enum(['none', 'admitted', 'connected']),
    volumeLimit: z.number().optional(),
    limits: LimitsSchema.optional(),
  }),
  runtime: RuntimeSchema.nullable(),
  restart: RestartPolicySchema.default(DEFAULT_RESTART),
  revival: z.strictObject({ count: z.number().int(), due: z.string().nullable() }).default(NO_REVIVAL),
  /** What the console showed last before the machine died. */
  lastWords: z.array(z.string()).default([]),
  /** Properties, limits apart, that were changed since the machine was prepared. */
  changed: z.array(z.enum(['env', 'sshKeys'])),
});
export type VpsRecord = z.infer<typeof VpsRecordSchema>;

const SegmentSchema = z.strictObject({ gateway: z.string(), prefix: z.number().int() });

export const NetworkRecordSchema = z.strictObject({
  index: z.number().int(),
  name: z.string(),
  project: z.string(),
  ipv4: SegmentSchema,
  ipv6: SegmentSchema,
  domain: z.string(),
  createdAt: z.string(),
});
export type NetworkRecord = z.infer<typeof NetworkRecordSchema>;

export const ProjectRecordSchema = z.strictObject({
  name: z.string(),
  description: z.string(),
  createdAt: z.string(),
});
export type ProjectRecord = z.infer<typeof ProjectRecordSchema>;

/** Rules that VPSs share; `members` are ids of VPSs, some of which may be gone. */
export const FirewallGroupRecordSchema = z.strictObject({
  index: z.number().int(),
  name: z.string(),
  project: z.string(),
  description: z.string(),
  rules: z.array(FirewallRuleSchema),
  members: z.array(z.string()),
  createdAt: z.string(),
});
export type FirewallGroupRecord = z.infer<typeof FirewallGroupRecordSchema>;

/** A token of the API; of its secret only the hash is kept. */
export const TokenRecordSchema = z.strictObject({
  ...TokenSchema.omit({ lastUsedAt: true }).shape,
  /** SHA-256 of the secret, in hexadecimal: it is random enough to need no slower one. */
  digest: z.string().regex(/^[0-9a-f]{64}$/),
});
export type TokenRecord = z.infer<typeof TokenRecordSchema>;

/** Where backups of a project may go; its secrets are the backup backend's. */
export const RepositoryRecordSchema = z.strictObject({
  id: z.string(),
  name: z.string(),
  project: z.string(),
  url: z.string(),
  createdAt: z.string(),
});
export type RepositoryRecord = z.infer<typeof RepositoryRecordSchema>;

/** When a VPS is backed up, by the VPS's id, and how that went. */
export const ScheduleRecordSchema = z.strictObject({
  id: z.string(),
  /** Id of the repository. */
  repository: z.string(),
  at: z.string(),
  keep: RetentionSchema,
  jitter: z.number().int(),
  setAt: z.string(),
  /** The time of the pattern whose run has ended last. */
  lastSlot: z.string().nullable(),
  lastSuccessAt: z.string().nullable(),
  lastFailure: z.strictObject({ at: z.string(), message: z.string() }).nullable(),
});
export type ScheduleRecord = z.infer<typeof ScheduleRecordSchema>;

/** A task with its cursor: `steps` names what has been done. */
export const TaskRecordSchema = z.strictObject({
  ...TaskSchema.shape,
  /** Id of the VPS that it works on; null when it works on something else. */
  vps: z.string().nullable(),
  /** False while it waits for its turn. */
  begun: z.boolean(),
  steps: z.array(z.string()),
});
export type TaskRecord = z.infer<typeof TaskRecordSchema>;

/** A volume with the memory of a guest that has booted, to start others from. */
export const TemplateRecordSchema = z.strictObject({
  /** Of the volume. */
  id: z.string(),
  key: z.string(),
  project: z.string(),
  imageId: z.string(),
  technique: TechniqueSchema,
  basis: z.string(),
  createdAt: z.string(),
});
export type TemplateRecord = z.infer<typeof TemplateRecordSchema>;
