import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImportImageRequest } from '../../contract/image-requests.ts';
import type { Jails } from '../../host/jail/jails.ts';
import { lastLine } from './decompress.ts';
import { refused } from './refused.ts';

/** Checks a detached OpenPGP signature by gpgv(1) in a jail. @throws MullionError `image_refused` */
export async function verifySignature(
  jails: Jails,
  { signature, keyring }: NonNullable<ImportImageRequest['signature']>,
  { folder, name }: { readonly folder: string; readonly name: string },
  work: string,
  signal: AbortSignal,
): Promise<void> {
  const keys = join(work, 'keys');
  await mkdir(keys, { mode: 0o700 });
  await writeFile(join(keys, 'signature'), Buffer.from(signature, 'base64'), { mode: 0o600 });
  await writeFile(join(keys, 'keyring'), dearmored(Buffer.from(keyring, 'base64')), { mode: 0o600 });
  const { code, stderr } = await jails.run(
    {
      argv: ['gpgv', '--keyring', '/keys/keyring', '/keys/signature', `/in/${name}`],
      mounts: [
        { source: folder, target: '/in', access: 'read' },
        { source: keys, target: '/keys', access: 'read' },
      ],
      timeoutMs: 600_000,
    },
    signal,
  );
  if (code !== 0) throw refused('signature', `The signature does not fit: ${lastLine(stderr)}`);
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
