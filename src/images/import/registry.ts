import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PullImageRequest } from '../../contract/image-requests.ts';
import type { JailResult, JailSpec, Jails } from '../../host/jail/jails.ts';
import { lastLine } from './decompress.ts';
import { IndexSchema, type Manifest, ManifestSchema, parseDocument } from './layout.ts';
import { refused } from './refused.ts';
import { requireItsOwnEnd } from './struck.ts';

const ACCEPT_ANYTHING = { default: [{ type: 'insecureAcceptAnything' }] };
const RETRIES = '3';

/** What a registry has under a reference, for one architecture. */
export interface RemoteImage {
  /** `NAME@sha256:...` of the manifest. */
  readonly pinned: string;
  /** Of what the reference names: the index where there is one. */
  readonly digest: string;
  readonly size: number;
}

export interface RegistryAccess {
  readonly jails: Jails;
  /** A folder of its own, for the login and the authority. */
  readonly folder: string;
  /** The host's rules on signatures (containers-policy.json(5)), where it has some. */
  readonly policyFolder: string | undefined;
  readonly signal: AbortSignal;
}

const hostOf = (reference: string): string => {
  const first = reference.split('/')[0] ?? '';
  return reference.includes('/') && (/[.:]/.test(first) || first === 'localhost') ? first : 'docker.io';
};
const nameOf = (reference: string): string => reference.replace(/@sha256:.*$/, '').replace(/:[^:/]+$/, '');

/** Lays out what skopeo reads: never an argument or a variable, which others could see. */
export async function prepareAccess(request: PullImageRequest, folder: string): Promise<void> {
  await mkdir(join(folder, 'certs'), { recursive: true, mode: 0o700 });
  const { username, password, authority } = request;
  const login =
    username === undefined ? undefined : Buffer.from(`${username}:${password ?? ''}`).toString('base64');
  const auths = login === undefined ? {} : { [hostOf(request.reference)]: { auth: login } };
  const options = { mode: 0o600 } as const;
  await writeFile(join(folder, 'auth.json'), JSON.stringify({ auths }), options);
  await writeFile(join(folder, 'policy.json'), JSON.stringify(ACCEPT_ANYTHING), options);
  if (authority !== undefined) await writeFile(join(folder, 'certs/authority.crt'), authority, options);
}

function skopeo(
  { folder, policyFolder }: RegistryAccess,
  mounts: JailSpec['mounts'],
  argv: readonly string[],
): JailSpec {
  const policy = policyFolder === undefined ? '/in/policy.json' : '/etc/containers/policy.json';
  return {
    argv: ['skopeo', '--policy', policy, '--tmpdir', '/tmp', ...argv],
    mounts: [
      { source: folder, target: '/in', access: 'read' },
      ...(policyFolder === undefined
        ? []
        : [{ source: policyFolder, target: '/etc/containers', access: 'read', mapped: false } as const]),
      ...mounts,
    ],
    network: true,
  };
}

/** What the reference means now. @throws MullionError `image_refused` */
export async function resolveReference(
  access: RegistryAccess,
  { reference, sha256 }: PullImageRequest,
  architecture: string,
): Promise<RemoteImage> {
  const name = nameOf(reference);
  const wanted = sha256 === undefined ? reference : `${name}@sha256:${sha256}`;
  const top = await readManifest(access, wanted);
  const digest = digestOf(top);
  // The name of a manifest is its sum: what came instead is not what was asked for.
  if (sha256 !== undefined && digest !== `sha256:${sha256}`)
    throw refused('checksum', 'The manifest is another one.');
  if (!/"manifests"\s*:/.test(top))
    return remote(name, digest, digest, parseDocument(ManifestSchema, top, 'manifest'));
  const { manifests } = parseDocument(IndexSchema, top, 'index');
  const fitting = manifests.find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
  );
  if (fitting === undefined) throw refused('format', `The image is not made for linux/${architecture}.`);
  const text = await readManifest(access, `${name}@${fitting.digest}`);
  if (digestOf(text) !== fitting.digest)
    throw refused('checksum', 'The manifest is another one than its index says.');
  return remote(name, digest, fitting.digest, parseDocument(ManifestSchema, text, 'manifest'));
}

const remote = (name: string, digest: string, own: string, { config, layers }: Manifest): RemoteImage => ({
  pinned: `${name}@${own}`,
  digest,
  size: layers.reduce((sum, layer) => sum + layer.size, config.size),
});

const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

async function readManifest(access: RegistryAccess, reference: string): Promise<string> {
  const argv = [
    ...[
      'inspect',
      '--raw',
      '--retry-times',
      RETRIES,
      '--authfile',
      '/in/auth.json',
      '--cert-dir',
      '/in/certs',
    ],
    `docker://${reference}`,
  ];
  const spec = { ...skopeo(access, [], argv), timeoutMs: 120_000 };
  const result = await access.jails.run(spec, access.signal);
  if (result.code === 0) return result.stdout;
  throw registryFailed(result);
}

/** Fetches the image into a layout in `target`, whose digests skopeo checks. @throws MullionError `image_refused` */
export async function fetchImage(
  access: RegistryAccess,
  { pinned, size }: RemoteImage,
  target: string,
  temporary: string,
): Promise<void> {
  const argv = [
    ...[
      'copy',
      '--quiet',
      // They are checked all the same; a layout cannot hold them.
      '--remove-signatures',
      '--retry-times',
      RETRIES,
      '--src-authfile',
      '/in/auth.json',
      '--src-cert-dir',
      '/in/certs',
    ],
    ...[
      '--dest-compress-format',
      'gzip',
      '--dest-compress-level',
      '1',
      `docker://${pinned}`,
      'oci:/out/layout:image',
    ],
  ];
  const mounts = [
    { source: target, target: '/out', access: 'write' as const },
    { source: temporary, target: '/tmp', access: 'write' as const },
  ];
  const spec = { ...skopeo(access, mounts, argv), fileSize: size + 64 * 1024 ** 2 };
  const result = await access.jails.run(spec, access.signal);
  if (result.code !== 0) throw registryFailed(result);
}

/** skopeo logs in key="value" form, the message in `msg`. */
function registryFailed(result: JailResult): Error {
  requireItsOwnEnd('skopeo', result);
  const { stderr } = result;
  const message = /msg="((?:[^"\\]|\\.)*)"/.exec(
    stderr.split('\n').find((line) => /level=fatal/.test(line)) ?? stderr,
  );
  const text = lastLine((message?.[1] ?? stderr).replaceAll('\\"', '"'));
  if (/Source image rejected|signature/i.test(text)) {
    return refused('signature', `The signature rules of this host do not allow the image: ${text}`);
  }
  return refused('registry', `The registry does not give the image: ${text}`);
}
