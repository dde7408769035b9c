import type { Jails } from '../../host/jail/jails.ts';
import { askDisk, changeRoot, isPlain, lookInDisk } from './disk-questions.ts';

export interface FileTime {
  readonly path: string;
  /** Seconds since 1970 with nine decimals. */
  readonly time: string;
}

/** Gives files below `upper` the fractions of seconds of their times on the disk, which fuse2fs(1) does not tell. */
export async function copyTimes(
  jails: Jails,
  disk: string,
  upper: string,
  signal: AbortSignal,
): Promise<void> {
  const paths = (await lookInDisk(jails, disk, "find . -xdev -printf '%P\\n'", signal))
    .split('\n')
    .filter((path) => path !== '' && isPlain(path) && !path.startsWith('lost+found'));
  const questions = paths.map((path) => `stat "/${path}"`);
  const times = parseTimes(await askDisk(jails, disk, questions, signal));
  if (times.length === 0) return;
  const lines = times.map(({ path, time }) => `${time}\n${path}\n`).join('');
  const touch = 'while read -r time && read -r path; do touch -h -d "@$time" -- "./$path" || exit 1; done';
  await changeRoot(jails, upper, touch, lines, signal);
}

/** debugfs(8), stat: `mtime: 0xSECONDS:EXTRA -- ...`; files whose time is a whole second are left out. */
export function parseTimes(text: string): FileTime[] {
  const times: FileTime[] = [];
  let path: string | undefined;
  for (const line of text.split('\n')) {
    const asked = /^debugfs: stat "\/(.+)"$/.exec(line)?.[1];
    if (asked !== undefined) path = asked;
    const told = /^ *mtime: 0x([0-9a-f]{8}):([0-9a-f]{8}) /.exec(line);
    if (told === null || path === undefined) continue;
    const time = decodeTime(Number.parseInt(told[1] ?? '', 16), Number.parseInt(told[2] ?? '', 16));
    if (time !== undefined) times.push({ path, time });
    path = undefined;
  }
  return times;
}

/** ext4: seconds signed in 32 bits; the extra field has 2 more bits of them below 30 of nanoseconds. */
function decodeTime(seconds: number, extra: number): string | undefined {
  const nanoseconds = extra >>> 2;
  if (nanoseconds === 0 || nanoseconds > 999_999_999) return undefined;
  const whole = (seconds > 0x7fff_ffff ? seconds - 2 ** 32 : seconds) + (extra & 3) * 2 ** 32;
  return `${whole}.${String(nanoseconds).padStart(9, '0')}`;
}
