import { MullionError } from '../contract/errors.ts';

/** Where a backup repository is, taken apart. */
export type RepositoryAddress =
  | { readonly kind: 'folder'; readonly path: string }
  | {
      readonly kind: 'sftp';
      readonly user: string | undefined;
      readonly host: string;
      readonly port: number | undefined;
    }
  | { readonly kind: 's3' };

const USER = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
/** A host name, an IPv4 address, or an IPv6 address without its brackets; never what ssh takes for an option. */
const HOST = /^[A-Za-z0-9:](?:[A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?$/;

/**
 * Reads `/folder`, `sftp:user@host:/folder`, `sftp://user@host:port//folder` and `s3:...`. Secrets have no place in it.
 * @throws MullionError `invalid_request`
 */
export function parseRepositoryUrl(url: string): RepositoryAddress {
  if (url.startsWith('/')) return folder(url);
  if (url.startsWith('sftp://')) return sftpUrl(url);
  if (url.startsWith('sftp:')) return sftpShort(url);
  if (url.startsWith('s3:')) return s3(url);
  throw wrong(url, 'it is none of: an absolute folder, sftp:..., s3:...');
}

function folder(url: string): RepositoryAddress {
  const parts = url.split('/').slice(1);
  if (parts.some((part) => part === '..' || part === '.'))
    throw wrong(url, 'a folder must not hold "." or ".."');
  if (url === '/') throw wrong(url, 'it names no folder of its own');
  return { kind: 'folder', path: url.replace(/\/+$/, '') };
}

function sftpUrl(url: string): RepositoryAddress {
  const match = /^sftp:\/\/(?:([^@/]*)@)?(\[[0-9A-Fa-f:]+\]|[^/:@]+)(?::(\d{1,5}))?\/(.+)$/.exec(url);
  return sftp(url, match?.[1], match?.[2]?.replace(/^\[|\]$/g, ''), match?.[3]);
}

function sftpShort(url: string): RepositoryAddress {
  const match = /^sftp:(?:([^@/:]*)@)?([^/:@]+):(.+)$/.exec(url);
  return sftp(url, match?.[1], match?.[2], undefined);
}

function sftp(
  url: string,
  user: string | undefined,
  host: string | undefined,
  port: string | undefined,
): RepositoryAddress {
  if (user?.includes(':') === true) throw secret(url);
  const isPort = port === undefined || (Number(port) > 0 && Number(port) < 65_536);
  if (host === undefined || !HOST.test(host) || !isPort || (user !== undefined && !USER.test(user))) {
    throw wrong(url, 'it must be sftp:USER@HOST:/FOLDER or sftp://USER@HOST:PORT//FOLDER');
  }
  return { kind: 'sftp', user, host, port: port === undefined ? undefined : Number(port) };
}

function s3(url: string): RepositoryAddress {
  const rest = url.slice(3).replace(/^https?:\/\//, '');
  if (rest.split('/')[0]?.includes('@') === true) throw secret(url);
  if (!/^[A-Za-z0-9[\]:.-]+\/[A-Za-z0-9._/-]+$/.test(rest)) {
    throw wrong(url, 'it must be s3:https://HOST/BUCKET or s3:https://HOST/BUCKET/FOLDER');
  }
  return { kind: 's3' };
}

const wrong = (url: string, why: string): MullionError =>
  new MullionError('invalid_request', `"${url}" is no place of a backup repository: ${why}.`, {
    remedy: 'Write it like /srv/backups, sftp:user@host:/backups or s3:https://host/bucket',
  });

/** The URL is not repeated: it holds a password. */
const secret = (url: string): MullionError =>
  new MullionError('invalid_request', `The ${url.split(':')[0]} URL holds a password or a secret.`, {
    remedy: 'Leave it out, and give it in a file: --credentials FILE',
  });
