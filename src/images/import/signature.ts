import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImportImageRequest } from '../../contract/image-requests.ts';
import type { JailResult, Jails } from '../../host/jail/jails.ts';
import { lastLine } from './decompress.ts';
import { refused } from './refused.ts';
import { requireItsOwnEnd } from './struck.ts';

const KEYS = 'keys';

/** Checks the detached OpenPGP signature of the file `name` by gpgv(1) in a jail; its keys are laid beside it. @throws MullionError `image_refused` */
export async function verifySignature(
  jails: Jails,
  { signature, keyring }: NonNullable<ImportImageRequest['signature']>,
  { folder, name }: { readonly folder: string; readonly name: string },
  signal: AbortSignal,
): Promise<void> {
  const ring = dearmored(Buffer.from(keyring, 'base64'));
  if (ring.length === 0) throw refused('signature', 'The key file holds no OpenPGP public key.');
  const keys = join(folder, KEYS);
  await mkdir(keys, { mode: 0o700 });
  await writeFile(join(keys, 'signature'), Buffer.from(signature, 'base64'), { mode: 0o600 });
  await writeFile(join(keys, 'keyring'), ring, { mode: 0o600 });
  const result = await jails.run(
    {
      argv: [
        ...['gpgv', '--status-fd', '1', '--keyring', `/in/${KEYS}/keyring`],
        ...[`/in/${KEYS}/signature`, `/in/${name}`],
      ],
      mounts: [{ source: folder, target: '/in', access: 'read' }],
      timeoutMs: 600_000,
    },
    signal,
  );
  requireItsOwnEnd('gpgv', result);
  const fault = faultOf(result);
  if (fault !== undefined) throw refused('signature', fault);
}

/**
 * Of gpgv 2.4, which names what it met: a one-pass signature, compressed, encrypted or literal data (RFC 9580, section 5), or
 * the mark that it puts before signed text. gpgv 2.2 says "not a detached signature".
 */
const HOLDS_A_MESSAGE = /type (?:4|8|9|11|18|63)\b.* in detached signature$/m;

/** By gpgv's status lines (GnuPG, doc/DETAILS); undefined when the signature is good. */
function faultOf({ code, stdout, stderr }: JailResult): string | undefined {
  const key = (word: string): string | undefined =>
    new RegExp(`^\\[GNUPG:\\] ${word} ([0-9A-F]{16,64})`, 'm').exec(stdout)?.[1];
  const is = (word: string): boolean => stdout.includes(`[GNUPG:] ${word}`);
  if (is('BADSIG')) return 'The signature is not that of this file: it was changed, or is another one.';
  const unknown = key('NO_PUBKEY');
  if (unknown !== undefined) {
    return `The signature was made by the key ${unknown}, which is none of the keys given.`;
  }
  // gpgv itself takes every key for good (gpgv(1)).
  const revoked = key('REVKEYSIG');
  if (revoked !== undefined) return `The key ${revoked}, which made the signature, was revoked.`;
  if (is('EXPSIG')) return 'The signature has expired.';
  if (code === 0 && is('VALIDSIG')) return undefined;
  if (/not a detached signature/.test(stderr) || HOLDS_A_MESSAGE.test(stderr)) {
    return 'The signature holds a message of its own: a detached one is needed (gpg --detach-sign).';
  }
  if (is('NODATA') || !is('NEWSIG')) return 'The signature file holds no OpenPGP signature that can be read.';
  return `The signature does not fit: ${lastLine(stderr)}`;
}

/** gpgv reads binary key rings only; the armor is base64 between two lines (RFC 9580 section 6.2). */
export function dearmored(keys: Buffer): Buffer {
  const text = keys.toString('latin1');
  if (!text.includes('-----BEGIN PGP PUBLIC KEY BLOCK-----')) return keys;
  const blocks = [...text.matchAll(/-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n([\s\S]*?)-----END/g)];
  return Buffer.concat(
    blocks.map(([, block = '']) => {
      const body = block.replace(/^(?:[A-Za-z-]+: .*\r?\n)*\r?\n/, '');
      return Buffer.from(body.replace(/^=[A-Za-z0-9+/]{4}\r?$/m, '').replace(/\s/g, ''), 'base64');
    }),
  );
}
