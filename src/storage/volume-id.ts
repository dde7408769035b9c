import { MullionError } from '../contract/errors.ts';

/** Ends the name of an image's folder while it is made. */
export const STAGING_SUFFIX = '.staging';
const PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** One plain name of a folder: no path, nothing hidden, nothing that other tools take for an option. */
export function checkVolumeId(id: string): string {
  if (PATTERN.test(id) && !id.endsWith(STAGING_SUFFIX)) return id;
  throw new MullionError(
    'invalid_request',
    `"${id.slice(0, 200)}" cannot be the id of a volume or an image.`,
    {
      remedy: 'Use 1 to 128 letters, digits, ".", "_" or "-", starting with a letter or digit',
    },
  );
}
