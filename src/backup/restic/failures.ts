import { type ErrorCode, MullionError } from '../../contract/errors.ts';

interface Kind {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly says: string;
  readonly remedy: string;
}

const GONE: Kind = {
  pattern:
    /is there a repository at the following location|unable to open config file|repository does not exist|specified bucket does not exist/i,
  code: 'repository_unreachable',
  says: 'is not there',
  remedy: 'Put it back, or mount what holds it; to make a new one, remove this and add it again',
};

/** What restic 0.14 to 0.18 writes, in the order in which it is looked for. */
const KINDS: readonly Kind[] = [
  {
    pattern: /repository is already locked|unable to create lock in backend/i,
    code: 'in_use',
    says: 'is locked by another program that works on it',
    remedy: 'Try again when that has ended',
  },
  {
    pattern: /wrong password or no key found/i,
    code: 'forbidden',
    says: 'is not opened by this key',
    remedy: 'Give the key that its owner exported: mullion backup repo key NAME',
  },
  {
    pattern: /config file already exists/i,
    code: 'already_exists',
    says: 'exists already',
    remedy: 'Add it with its key: mullion backup repo add NAME URL --key FILE',
  },
  {
    pattern: /no space left on device|disk quota exceeded|EDQUOT|ENOSPC|SSH_FX_FAILURE|sftp: "Failure"/i,
    code: 'insufficient_disk',
    says: 'has no space left, or cannot be written',
    remedy: 'Make room there, or keep fewer backups',
  },
  {
    pattern:
      /connection refused|connection reset|no route to host|network is unreachable|i\/o timeout|timed out|no such host|could not resolve|host key verification failed|permission denied \((?:publickey|password)|unable to start the sftp session|ssh: |ssh command exited|kex_exchange|access ?denied|request signature we calculated|access key id you provided|x509: |tls: |connection closed|broken pipe/i,
    code: 'repository_unreachable',
    says: 'cannot be reached',
    remedy: 'See that the server answers, and that the credentials are right',
  },
  GONE,
  {
    pattern: /no matching id found|no snapshot found|not found in snapshot|no such snapshot/i,
    code: 'not_found',
    says: 'does not have that',
    remedy: 'See what there is with: mullion backup list',
  },
  {
    pattern:
      /ciphertext verification failed|invalid data returned|wrong hash|hash mismatch|not found in (?:repository|index)|does not exist|no such file or directory|unexpected eof|invalid header|id .* not found|damaged|corrupt|is not present|content does not match|invalid mac|file is too short|packs from index missing|unexpected file size|repository contains errors|^panic: /im,
    code: 'backup_damaged',
    says: 'has lost or damaged data',
    remedy:
      'Make a new backup now, into another repository; verify those that there are: mullion backup verify ID',
  },
  {
    pattern: /returned error, retrying after/,
    code: 'repository_unreachable',
    says: 'does not answer any more',
    remedy: 'See that what holds it is mounted or answers; then try again',
  },
];

/**
 * restic's failure in the words of the product. Secrets are in no argument, so its own words may be shown. `isGone`: the
 * repository is not there any more, which restic may tell of its data alone.
 */
export function resticFailure(
  url: string,
  verb: string,
  exitCode: number,
  stderr: string,
  isGone: () => boolean = () => false,
): MullionError {
  const told = KINDS.find(({ pattern }) => pattern.test(stderr));
  const kind = told?.code === 'backup_damaged' && isGone() ? GONE : told;
  const details = { url, verb, exitCode, stderr: stderr.slice(-4000) };
  if (kind === undefined) {
    return new MullionError(
      'command_failed',
      `restic ${verb} failed with exit code ${exitCode}: ${lastLine(stderr)}`,
      { details },
    );
  }
  return new MullionError(kind.code, `The repository ${url} ${kind.says}.`, { remedy: kind.remedy, details });
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1)?.slice(0, 500) || 'no message';
