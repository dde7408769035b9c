import * as z from 'zod';
import { ImageNameSchema } from './names.ts';
import { SshKeySchema } from './vps.ts';

const USER = /^[a-z_][a-z0-9_-]{0,30}$/;
const UserNameSchema = z.string().regex(USER, 'must be a user name of Debian');
const OwnerSchema = z
  .string()
  .regex(/^[a-z_0-9][a-z0-9_-]{0,30}(?::[a-z_0-9][a-z0-9_-]{0,30})?$/, 'must be USER or USER:GROUP');
const PathSchema = z
  .string()
  .max(4000)
  .regex(/^\/[^\x00-\x1f\x7f]*[^/\x00-\x1f\x7f]$/, 'must be an absolute path without control characters')
  .refine((path) => !path.split('/').includes('..'), 'must not contain ".."');
const ModeSchema = z.string().regex(/^[0-7]{3,4}$/, 'must be octal, for example "644"');
const TextSchema = z.string().regex(/^[^\x00]*$/, 'must not contain NUL');
/** Bytes of all files of a recipe together, as they travel. */
const CONTENT_LIMIT = 700_000;

export const PackageNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9+.-]{1,127}$/, 'must be a Debian package name');
export const SuiteSchema = z.enum(['bookworm', 'trixie']);

const UserSchema = z.strictObject({
  name: UserNameSchema,
  uid: z.number().int().min(1).max(65_533).optional(),
  groups: z.array(UserNameSchema).max(32).default([]),
  shell: PathSchema.default('/bin/bash'),
  sshKeys: z.array(SshKeySchema).max(64).default([]),
});

/** What is done to a root file system after its packages: users, then files, then commands. */
export const ImageSetupSchema = z.strictObject({
  users: z.array(UserSchema).max(100).default([]),
  files: z
    .array(
      z.strictObject({
        path: PathSchema,
        content: z.base64(),
        mode: ModeSchema.default('644'),
        owner: OwnerSchema.default('root:root'),
      }),
    )
    .max(1000)
    .refine(
      (files) => files.reduce((sum, { content }) => sum + content.length, 0) <= CONTENT_LIMIT,
      'are too large together: put large ones into a package',
    )
    .default([]),
  commands: z
    .array(TextSchema.min(1).max(65_536))
    .max(200)
    .default([])
    .describe('lines for sh -e, run as root in the image, without network'),
});
export type ImageSetup = z.output<typeof ImageSetupSchema>;

/** A recipe as people write it, in YAML. */
export const RecipeFileSchema = z.strictObject({
  name: ImageNameSchema.optional(),
  suite: SuiteSchema.optional(),
  packages: z.array(PackageNameSchema).max(500).default([]),
  users: z.array(UserSchema).max(100).default([]),
  files: z
    .array(
      z
        .strictObject({
          path: PathSchema,
          content: TextSchema.optional(),
          source: z.string().min(1).optional().describe('a file beside the recipe'),
          mode: z.union([ModeSchema, z.number().int()]).optional(),
          owner: OwnerSchema.optional(),
        })
        .refine(
          ({ content, source }) => (content === undefined) !== (source === undefined),
          'must have either content or source',
        ),
    )
    .max(1000)
    .default([]),
  commands: z.array(TextSchema.min(1)).max(200).default([]),
});
export type RecipeFile = z.output<typeof RecipeFileSchema>;
