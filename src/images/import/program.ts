import { constants } from 'node:os';
import type { ImageProgram } from '../../contract/resources.ts';
import type { OciImageConfig } from './layout.ts';
import { refused, shown } from './refused.ts';

/** What decides how an image starts, as found in it. */
export interface RootFacts {
  /** Paths, of those that were asked for, that are there. */
  readonly present: ReadonlySet<string>;
  /** Where /sbin/init leads when it is a link. */
  readonly initTarget: string;
  readonly passwd: string;
  readonly group: string;
}

export const INIT_PATHS = [
  'usr/lib/systemd/systemd',
  'lib/systemd/systemd',
  'sbin/openrc',
  'sbin/openrc-init',
  'sbin/init',
  'etc/init',
  'bin/init',
] as const;
const SIGRTMIN = 34;
const SIGRTMAX = 64;
/** execve(2), "Limits on size of arguments and environment": of one word, and well below those of all. */
const WORD_LIMIT = 128 * 1024;
const WORDS_LIMIT = 1024 ** 2;
const PATH_LIMIT = 4095;
const ID_LIMIT = 65_536;

/** An init of busybox alone has nothing to start: images of applications bring it as one of many names. */
export function hasInitSystem({ present, initTarget }: RootFacts): boolean {
  if (INIT_PATHS.slice(0, 4).some((path) => present.has(path))) return true;
  if (present.has('sbin/init')) return !/(?:^|\/)busybox$/.test(initTarget);
  return present.has('etc/init') || present.has('bin/init');
}

/** The image's entry point; undefined where an init system takes its place, or where there is none. */
export function programOf({ config }: OciImageConfig, facts: RootFacts): ImageProgram | undefined {
  if (hasInitSystem(facts)) return undefined;
  const argv = [...(config?.Entrypoint ?? []), ...(config?.Cmd ?? [])];
  if (argv.length === 0) return undefined;
  if (argv.some((word) => word.includes('\0'))) throw refused('name', 'The entry point has a NUL in it.');
  const cwd = config?.WorkingDir ?? '';
  if (cwd !== '' && (!cwd.startsWith('/') || cwd.length > PATH_LIMIT || /[\x00-\x1f\x7f-\x9f]/.test(cwd))) {
    throw refused('path', `The working folder ${shown(cwd)} is no absolute path.`);
  }
  const env = environment(config?.Env ?? []);
  requireWords([...argv, ...Object.entries(env).map((pair) => pair.join('='))]);
  return {
    argv,
    env,
    cwd: cwd === '' ? '/' : cwd,
    ...userOf(config?.User ?? '', facts),
    stopSignal: signalOf(config?.StopSignal ?? ''),
  };
}

/** More would be found out by the first start only. @throws MullionError `image_refused` */
function requireWords(words: readonly string[]): void {
  const sizes = words.map((word) => Buffer.byteLength(word) + 1);
  const all = sizes.reduce((sum, size) => sum + size, 0);
  if (all <= WORDS_LIMIT && sizes.every((size) => size <= WORD_LIMIT)) return;
  throw refused(
    'too_large',
    `The entry point and its environment have ${all} bytes, more than a program can be started with.`,
  );
}

const environment = (assignments: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    assignments.flatMap((text): [string, string][] => {
      const equals = text.indexOf('=');
      const key = text.slice(0, equals);
      return equals > 0 && /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(key) && !text.includes('\0')
        ? [[key, text.slice(equals + 1)]]
        : [];
    }),
  );

function signalOf(text: string): number {
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realTime = /^RTMIN(?:\+(\d{1,2}))?$/.exec(name);
  if (realTime !== null) return Math.min(SIGRTMAX, SIGRTMIN + Number(realTime[1] ?? 0));
  if (/^\d{1,2}$/.test(name)) return Math.max(1, Math.min(SIGRTMAX, Number(name)));
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return numbers[`SIG${name}`] ?? constants.signals.SIGTERM;
}

const rows = (text: string): string[][] => text.split('\n').map((line) => line.split(':'));

/** `user`, `uid`, `user:group`, `uid:gid` (OCI image specification, config.md, "User"). */
function userOf(text: string, { passwd, group }: RootFacts): Pick<ImageProgram, 'uid' | 'gid' | 'groups'> {
  const [user = '', wantedGroup] = text.split(':');
  const entry = rows(passwd).find(
    (fields) => fields.length >= 4 && (fields[0] === user || fields[2] === user),
  );
  const uid = user === '' ? 0 : id(entry?.[2] ?? user, `the user ${shown(user)}`);
  const groupEntry = rows(group).find((fields) => fields.length >= 3 && fields[0] === wantedGroup);
  const gid =
    wantedGroup === undefined || wantedGroup === ''
      ? id(entry?.[3] ?? '0', `the group of ${shown(user)}`)
      : id(groupEntry?.[2] ?? wantedGroup, `the group ${shown(wantedGroup)}`);
  const name = entry?.[0] ?? '';
  const groups = rows(group)
    .filter((fields) => name !== '' && (fields[3] ?? '').split(',').includes(name))
    .flatMap((fields) => (/^\d{1,5}$/.test(fields[2] ?? '') ? [Number(fields[2])] : []));
  return { uid, gid, groups: [...new Set(groups)].filter((one) => one < ID_LIMIT).slice(0, 64) };
}

function id(text: string, what: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < ID_LIMIT) return Number(text);
  throw refused('owner', `The image runs as ${what}, which it does not have.`);
}
