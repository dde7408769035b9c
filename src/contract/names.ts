import * as z from 'zod';

/** A DNS label (RFC 1123 section 2.1), lower case, starting with a letter: usable as a host name. */
export const NAME_PATTERN = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

const nameHint =
  'must be 1 to 63 characters: a lower-case letter first, then lower-case letters, digits or hyphens, not ending in a hyphen';

export const NameSchema = z.string().regex(NAME_PATTERN, nameHint);
export const VpsNameSchema = NameSchema.describe('Name of a VPS; also its host name');
export const ProjectNameSchema = NameSchema.describe('Name of a project, the tenant that owns VPSs');
export const NetworkNameSchema = NameSchema.describe('Name of a network');

/** `debian/12`, `debian/12/web`: one to four labels of letters, digits, dots, hyphens or underscores. */
export const ImageNameSchema = z
  .string()
  .max(128)
  .regex(
    /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?(?:\/[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?){0,3}$/,
    'must be one to four parts of lower-case letters, digits, ".", "_" or "-", separated by "/"',
  )
  .refine((name) => !name.includes('..'), 'must not contain ".."')
  .describe('Name of an image, for example debian/12');

export const DEFAULT_PROJECT = 'default';
export const DEFAULT_NETWORK = 'default';
