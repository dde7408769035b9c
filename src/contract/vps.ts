import * as z from 'zod';
import { AUTOSTART_POLICIES, DEFAULT_AUTOSTART } from './autostart-policies.ts';
import { BackupConditionSchema } from './backups.ts';
import { BUSES, FIRMWARES } from './guest-devices.ts';
import { DEFAULT_NETWORK, ImageNameSchema, NetworkNameSchema, VpsNameSchema } from './names.ts';
import { NO_RATES, RATE_REQUESTS, RATES } from './rates.ts';
import { DEFAULT_RESTART, RESTART_POLICIES } from './restart-policies.ts';
import { BytesSchema, GIB, MIB, SizeSchema } from './sizes.ts';
import { SnapshotSchema } from './snapshots.ts';
import {
  DriverNameSchema,
  TechniqueChoiceSchema,
  TechniqueSchema,
  WISHES,
  WishSchema,
} from './techniques.ts';

export type { Bus, Firmware } from './guest-devices.ts';

export const VPS_STATES = [
  'creating',
  'stopped',
  'starting',
  'running',
  'pausing',
  'paused',
  'stopping',
  'restoring',
  'migrating',
  'deleting',
  'error',
] as const;
export const VpsStateSchema = z.enum(VPS_STATES);
export type VpsState = z.infer<typeof VpsStateSchema>;

export const CpusSchema = z
  .number()
  .min(0.05)
  .max(1024)
  .describe('processors; fractions where the technique can');
export const MemorySchema = SizeSchema.refine((bytes) => bytes >= 16 * MIB, 'must be at least 16M').describe(
  'memory, for example 256M',
);
export const DiskSchema = SizeSchema.refine((bytes) => bytes >= 16 * MIB, 'must be at least 16M').describe(
  'disk space, for example 2G',
);
export const PidsSchema = z
  .number()
  .int()
  .min(8)
  .max(4_194_304)
  .describe('most processes and threads at one time');
export const RestartPolicySchema = z
  .enum(RESTART_POLICIES)
  .describe('when a VPS that ended by itself is started again: when it died, or always');
export const HealthSchema = z.enum(['unknown', 'starting', 'ready', 'degraded']);

export type Health = z.infer<typeof HealthSchema>;

export const LimitsSchema = z.object({
  cpus: CpusSchema,
  memory: BytesSchema,
  disk: BytesSchema,
  pids: z.number().int(),
  ...RATES,
});
export type Limits = z.infer<typeof LimitsSchema>;

export const DEFAULT_LIMITS: Limits = {
  ...{ cpus: 1, memory: 512 * MIB, disk: 4 * GIB, pids: 1024 },
  ...NO_RATES,
};

const EnvKeySchema = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be a variable name');
const EnvValueSchema = z
  .string()
  .max(32_768)
  .regex(/^[^\x00-\x08\x0b-\x1f]*$/, 'must not contain control characters');
export const EnvSchema = z.record(EnvKeySchema, EnvValueSchema);

/** One public key in the format of authorized_keys (sshd(8)), on one line, without options. */
export const SshKeySchema = z
  .string()
  .max(16_384)
  .regex(
    /^(ssh-|ecdsa-|sk-)[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [^\r\n\0]*)?$/,
    'must be one line of a public key file',
  )
  .describe('an SSH public key for root');

export const AutostartPolicySchema = z
  .enum(AUTOSTART_POLICIES)
  .describe('whether it is started once the host was restarted');

/** How a guest with a boot loader of its own is booted. */
export const FirmwareSchema = z.enum(FIRMWARES).describe('firmware of a guest with a boot loader of its own');
export const BusSchema = z
  .enum(BUSES)
  .describe('disk and network devices of a guest with a boot loader of its own');

const RATE_DEFAULTS = {
  diskReadRate: RATE_REQUESTS.diskReadRate.default(NO_RATES.diskReadRate),
  diskWriteRate: RATE_REQUESTS.diskWriteRate.default(NO_RATES.diskWriteRate),
  diskReadOps: RATE_REQUESTS.diskReadOps.default(NO_RATES.diskReadOps),
  diskWriteOps: RATE_REQUESTS.diskWriteOps.default(NO_RATES.diskWriteOps),
  networkInRate: RATE_REQUESTS.networkInRate.default(NO_RATES.networkInRate),
  networkOutRate: RATE_REQUESTS.networkOutRate.default(NO_RATES.networkOutRate),
};

export const LaunchRequestSchema = z.strictObject({
  image: ImageNameSchema,
  name: VpsNameSchema.optional().describe('made up when absent'),
  technique: TechniqueChoiceSchema.default('auto'),
  want: z.array(WishSchema).max(WISHES.length).default([]).describe('what technique auto has to give'),
  firmware: FirmwareSchema.optional().describe('found out from the image when absent'),
  bus: BusSchema.optional().describe('sata when absent, which every system knows'),
  cpus: CpusSchema.default(DEFAULT_LIMITS.cpus),
  memory: MemorySchema.default(DEFAULT_LIMITS.memory),
  disk: DiskSchema.default(DEFAULT_LIMITS.disk),
  pids: PidsSchema.default(DEFAULT_LIMITS.pids),
  ...RATE_DEFAULTS,
  network: NetworkNameSchema.default(DEFAULT_NETWORK),
  env: EnvSchema.default({}),
  sshKeys: z.array(SshKeySchema).max(64).default([]),
  userData: z.string().max(1_048_576).optional().describe('a script that runs once, at the first start'),
  restart: RestartPolicySchema.default(DEFAULT_RESTART),
  autostart: AutostartPolicySchema.default(DEFAULT_AUTOSTART),
  start: z.boolean().default(true),
  warm: z
    .boolean()
    .optional()
    .describe('start from the memory of a template; where there is none yet, boot, and have one made'),
});
export type LaunchRequest = z.infer<typeof LaunchRequestSchema>;
export type LaunchInput = z.input<typeof LaunchRequestSchema>;

export const SetRequestSchema = z
  .strictObject({
    cpus: CpusSchema,
    memory: MemorySchema,
    disk: DiskSchema,
    pids: PidsSchema,
    ...RATE_REQUESTS,
    env: EnvSchema,
    sshKeys: z.array(SshKeySchema).max(64),
    restart: RestartPolicySchema,
    autostart: AutostartPolicySchema,
  })
  .partial()
  .refine((changes) => Object.keys(changes).length > 0, 'must name at least one property');
export type SetRequest = z.infer<typeof SetRequestSchema>;

export const ForwardSchema = z.strictObject({
  protocol: z.enum(['tcp', 'udp']).default('tcp'),
  hostPort: z.number().int().min(1).max(65_535),
  vpsPort: z.number().int().min(1).max(65_535),
});
export type Forward = z.infer<typeof ForwardSchema>;

export const VpsSchema = z.object({
  id: z.string(),
  name: z.string(),
  project: z.string(),
  technique: TechniqueSchema,
  driver: DriverNameSchema,
  image: z.string(),
  state: VpsStateSchema,
  health: HealthSchema,
  message: z.string().describe('why it is in state error, or a warning; empty otherwise'),
  network: z.string(),
  addresses: z.array(z.string()).describe('IPv4 first, then IPv6'),
  mac: z.string(),
  cpus: z.number(),
  memory: BytesSchema,
  disk: BytesSchema,
  pids: z.number().int(),
  ...RATES,
  restart: RestartPolicySchema,
  autostart: AutostartPolicySchema,
  snapshotCount: z.number().int(),
  pendingRestart: z.array(z.string()).describe('properties that take effect at the next start'),
  backup: BackupConditionSchema.describe('how its scheduled backups do; none without a schedule'),
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().nullable(),
  node: z.string(),
});
export type Vps = z.infer<typeof VpsSchema>;

export const UsageSchema = z.object({
  cpuSeconds: z.number(),
  memory: BytesSchema,
  disk: BytesSchema,
  networkIn: BytesSchema,
  networkOut: BytesSchema,
  processes: z.number().int().nullable().describe('null when only the guest knows, and it does not say'),
});
/** What it wanted and did not get, in seconds since it was started; null where the host cannot tell. */
export const LossSchema = z.object({
  cpuWaited: z.number().nullable().describe('it wanted a processor and got none, for whatever reason'),
  cpuThrottled: z.number().nullable().describe('its own limit held it back, summed up over its processors'),
  memoryStalled: z.number().nullable().describe('it waited for memory to be freed'),
  ioStalled: z.number().nullable().describe('it waited for a disk'),
  oomKills: z.number().int().nullable().describe('processes killed for want of memory inside its limit'),
});
export type Loss = z.infer<typeof LossSchema>;

export type Usage = z.infer<typeof UsageSchema>;

export const VpsInfoSchema = VpsSchema.extend({
  usage: UsageSchema,
  loss: LossSchema,
  limits: LimitsSchema,
  snapshots: z.array(SnapshotSchema),
  forwards: z.array(ForwardSchema),
  reason: z.string().describe('why this technique was picked'),
  lastWords: z.array(z.string()).describe('what its console showed last before it died; else empty'),
});
export type VpsInfo = z.infer<typeof VpsInfoSchema>;

export const ConvertRequestSchema = z.strictObject({ technique: TechniqueSchema });
export type ConvertRequest = z.infer<typeof ConvertRequestSchema>;

export const StopRequestSchema = z.strictObject({
  timeout: z.number().min(0).max(3600).default(30).describe('seconds to wait before the VPS is killed'),
  force: z.boolean().default(false).describe('kill at once'),
});
export type StopRequest = z.infer<typeof StopRequestSchema>;
