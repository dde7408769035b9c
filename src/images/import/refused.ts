import { MullionError } from '../../contract/errors.ts';

/** Why an image from elsewhere was not taken; for programs. */
export type RefusedReason =
  | 'checksum'
  | 'signature'
  | 'format'
  | 'several'
  | 'damaged'
  | 'truncated'
  | 'too_large'
  | 'too_many_files'
  | 'bomb'
  | 'path'
  | 'name'
  | 'link'
  | 'device'
  | 'owner'
  | 'attribute'
  | 'names_host_file'
  | 'registry';

const REMEDIES: Partial<Record<RefusedReason, string>> = {
  checksum: 'Fetch the file again, from a source that you trust',
  signature: 'Fetch it again, or name the key that its maker publishes',
  format: 'Say what it is with --format; see: mullion image import --help',
  several: 'Say which one with --image NAME, TAG, DIGEST or OS/ARCHITECTURE',
  truncated: 'Fetch the file again: its end is missing',
  registry: 'Check the reference, the login and the certificate of the registry',
  names_host_file: 'Flatten it where it was made: qemu-img convert -O qcow2 FILE NEW',
};

/** An image that is not taken. Text of the image in `message` has been made safe to show. */
export const refused = (reason: RefusedReason, message: string, cause?: unknown): MullionError =>
  new MullionError('image_refused', message, {
    remedy: REMEDIES[reason] ?? 'Use an image from a source that you trust',
    details: { reason },
    ...(cause === undefined ? {} : { cause }),
  });

/** A name from an image, safe for terminals and logs, and not endless. */
export const shown = (name: string): string => {
  const safe = name.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029\ufffd]/gu, '?');
  return safe.length > 120 ? `${safe.slice(0, 120)}…` : safe;
};
