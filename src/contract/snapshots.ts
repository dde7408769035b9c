import * as z from 'zod';
import { VpsNameSchema } from './names.ts';
import { TechniqueSchema } from './techniques.ts';

/** One folder's name, whatever the pool is made of. */
export const SnapshotNameSchema = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/,
    'must be 1 to 63 characters: lower-case letters, digits, "." or "-", beginning and ending with a letter or digit',
  )
  .refine((name) => !name.endsWith('.staging'), 'must not end in .staging')
  .describe('Name of a snapshot');

/** clean: it was stopped; file-system: its file systems were brought to rest; crash: as after a power failure. */
export const ConsistencySchema = z.enum(['clean', 'file-system', 'crash']);
export type Consistency = z.infer<typeof ConsistencySchema>;

export const SnapshotSchema = z.object({
  name: z.string(),
  createdAt: z.iso.datetime(),
  consistency: ConsistencySchema.describe(
    'clean: the VPS was stopped; file-system: its file systems were brought to rest; crash: as after a power failure',
  ),
  stateful: z.boolean().default(false).describe('it keeps memory too: a restore goes on from there'),
  technique: TechniqueSchema.describe(
    'what the VPS was; a restore brings that back too where the technique of now keeps data in another form',
  ),
});
export type Snapshot = z.infer<typeof SnapshotSchema>;

export const CreateSnapshotRequestSchema = z.strictObject({
  name: SnapshotNameSchema.optional().describe('made up when absent'),
  stateful: z.boolean().optional().describe('keep memory too; the VPS stands still while that is written'),
});
export type CreateSnapshotRequest = z.infer<typeof CreateSnapshotRequestSchema>;

export const RenameRequestSchema = z.strictObject({ name: VpsNameSchema });

export const CopyRequestSchema = z.strictObject({
  name: VpsNameSchema,
  snapshot: SnapshotNameSchema.optional().describe('what to copy; the VPS as it is now when absent'),
  start: z.boolean().default(false).describe('start the copy'),
});
export type CopyRequest = z.infer<typeof CopyRequestSchema>;
