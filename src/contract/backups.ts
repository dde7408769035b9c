import * as z from 'zod';
import { NameSchema, VpsNameSchema } from './names.ts';

export const RepositoryNameSchema = NameSchema.describe('Name of a backup repository');

const TEXT = z.string().max(65_536);

export const RepositoryUrlSchema = z
  .string()
  .min(2)
  .max(1024)
  .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')
  .describe('a folder, sftp:USER@HOST:/FOLDER, sftp://USER@HOST:PORT//FOLDER or s3:https://HOST/BUCKET');

export const AddRepositoryRequestSchema = z.strictObject({
  name: RepositoryNameSchema,
  url: RepositoryUrlSchema,
  key: z
    .string()
    .min(8)
    .max(1024)
    .regex(/^[^\0\r\n]+$/, 'must be one line')
    .optional()
    .describe('the key of a repository that exists; absent: a new repository is made with a new key'),
  credentials: TEXT.optional().describe(
    'sftp: a private SSH key without passphrase; s3: a credentials file of AWS',
  ),
  knownHosts: TEXT.optional().describe(
    'sftp: lines of known_hosts; absent: the key that the server shows first is believed from then on',
  ),
});
export type AddRepositoryRequest = z.infer<typeof AddRepositoryRequestSchema>;

export const RepositorySchema = z.object({
  name: z.string(),
  project: z.string(),
  url: z.string(),
  createdAt: z.iso.datetime(),
});
export type Repository = z.infer<typeof RepositorySchema>;

export const RepositoryKeySchema = z.object({ name: z.string(), url: z.string(), key: z.string() });
export type RepositoryKey = z.infer<typeof RepositoryKeySchema>;

/** The first characters of the id that the repository gave it. */
export const BackupIdSchema = z.string().regex(/^[0-9a-f]{6,64}$/, 'must be 6 to 64 hexadecimal digits');

export const BackupSchema = z.object({
  id: z.string(),
  repository: z.string(),
  vps: z.string().describe('name of the VPS when the backup was made'),
  technique: z.string(),
  image: z.string(),
  node: z.string().describe('the host that made it'),
  createdAt: z.iso.datetime(),
  consistency: z
    .string()
    .describe('clean of a stopped VPS, file-system when the guest froze its file systems, else crash'),
  schedule: z.boolean().describe('made by a schedule, and subject to its retention'),
});
export type Backup = z.infer<typeof BackupSchema>;

export const CreateBackupRequestSchema = z.strictObject({
  vps: VpsNameSchema,
  repository: RepositoryNameSchema.optional().describe('may be left out when there is only one'),
});
export type CreateBackupRequest = z.infer<typeof CreateBackupRequestSchema>;

export const RestoreBackupRequestSchema = z.strictObject({
  name: VpsNameSchema.optional().describe('a new VPS of this name; absent: the name that it had'),
  start: z.boolean().default(true),
});
export type RestoreBackupRequest = z.infer<typeof RestoreBackupRequestSchema>;

const KEEP = z.number().int().min(0).max(1000);
export const RetentionSchema = z.strictObject({
  last: KEEP.default(0),
  daily: KEEP.default(0),
  weekly: KEEP.default(0),
  monthly: KEEP.default(0),
});
export type Retention = z.infer<typeof RetentionSchema>;

const TIME = '(?:[01]\\d|2[0-3]):[0-5]\\d';
export const SchedulePatternSchema = z
  .string()
  .max(64)
  .regex(
    new RegExp(
      `^(?:hourly(?: :[0-5]\\d)?|daily ${TIME}|weekly (?:mon|tue|wed|thu|fri|sat|sun) ${TIME}|monthly (?:[1-9]|1\\d|2[0-8]) ${TIME})$`,
    ),
    'must be like "hourly :30", "daily 02:00", "weekly sun 03:00" or "monthly 1 04:00"',
  )
  .describe('when, in UTC: "hourly :30", "daily 02:00", "weekly sun 03:00" or "monthly 1 04:00"');

export const SetScheduleRequestSchema = z.strictObject({
  at: SchedulePatternSchema,
  repository: RepositoryNameSchema.optional().describe('may be left out when there is only one'),
  keep: RetentionSchema.prefault({}).describe('all 0: every backup is kept'),
  jitter: z.number().int().min(0).max(86_400).default(600).describe('most seconds that a run is put off'),
});
export type SetScheduleRequest = z.infer<typeof SetScheduleRequestSchema>;

export const BackupConditionSchema = z.enum(['none', 'waiting', 'ok', 'failed', 'overdue']);
export type BackupCondition = z.infer<typeof BackupConditionSchema>;

export const ScheduleSchema = z.object({
  vps: z.string(),
  repository: z.string(),
  at: z.string(),
  keep: RetentionSchema,
  jitter: z.number().int(),
  condition: BackupConditionSchema,
  nextAt: z.iso.datetime(),
  lastSuccessAt: z.iso.datetime().nullable(),
  lastFailure: z.object({ at: z.iso.datetime(), message: z.string() }).nullable(),
});
export type Schedule = z.infer<typeof ScheduleSchema>;
