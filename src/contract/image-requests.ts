import * as z from 'zod';
import { ImageNameSchema, VpsNameSchema } from './names.ts';
import { SnapshotNameSchema } from './snapshots.ts';

/** What a file can be imported as. `auto` looks at its first bytes. */
export const IMPORT_FORMATS = [
  'auto',
  'tar',
  'oci-archive',
  'docker-archive',
  'raw',
  'qcow2',
  'vmdk',
  'vdi',
  'iso',
] as const;
/** What an image can be exported as; which ones depends on its parts. */
export const EXPORT_FORMATS = ['oci', 'tar', 'raw', 'qcow2', 'vmdk', 'vdi', 'iso'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export const Sha256Schema = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
  .describe('SHA-256 of the file, or of the manifest of a registry');

const PRINTABLE = z.string().regex(/^[^\x00-\x1f\x7f-\x9f]*$/, 'must not contain control characters');
const shared = {
  name: ImageNameSchema,
  sha256: Sha256Schema.optional(),
  kernelFrom: ImageNameSchema.optional().describe(
    'an image whose kernel it takes, so that virtual machines can run it',
  ),
  replace: z.boolean().default(false).describe('take the place of an image of that name'),
};

export const ImportImageRequestSchema = z.strictObject({
  ...shared,
  format: z.enum(IMPORT_FORMATS).default('auto'),
  image: PRINTABLE.min(1)
    .max(512)
    .optional()
    .describe('which image of an archive of several: a name, tag, digest or OS/ARCHITECTURE'),
  origin: PRINTABLE.max(512).default('').describe('what the file is called where it comes from'),
  size: z.number().int().min(0).optional().describe('bytes that will be sent'),
  signature: z
    .strictObject({
      signature: z
        .base64()
        .max(64 * 1024)
        .describe('detached OpenPGP signature of the file'),
      keyring: z
        .base64()
        .max(512 * 1024)
        .describe('OpenPGP public keys that may have signed it'),
    })
    .optional(),
});
export type ImportImageRequest = z.infer<typeof ImportImageRequestSchema>;

const REFERENCE =
  /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{1,5})?(?:\/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/;

export const PullImageRequestSchema = z.strictObject({
  ...shared,
  reference: z
    .string()
    .max(512)
    .regex(REFERENCE, 'must be HOST/NAME:TAG or HOST/NAME@sha256:DIGEST')
    .describe('an image of an OCI registry'),
  username: PRINTABLE.max(256).optional(),
  password: PRINTABLE.max(4096).optional(),
  authority: z
    .string()
    .max(256 * 1024)
    .optional()
    .describe('PEM of the authority of the registry'),
});
export type PullImageRequest = z.infer<typeof PullImageRequestSchema>;

export const ExportImageRequestSchema = z.strictObject({
  format: z.enum(EXPORT_FORMATS).optional().describe('by its parts when absent'),
});
export type ExportImageRequest = z.infer<typeof ExportImageRequestSchema>;

export const PublishImageRequestSchema = z.strictObject({
  vps: VpsNameSchema,
  snapshot: SnapshotNameSchema.optional().describe('the VPS as it is now when absent'),
  name: ImageNameSchema,
  replace: z.boolean().default(false),
});
export type PublishImageRequest = z.infer<typeof PublishImageRequestSchema>;
