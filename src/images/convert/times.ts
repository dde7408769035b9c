import type { Jails } from '../../host/jail/jails.ts';
import { askedFile, changeRoot } from './disk-questions.ts';

export interface FileTime {
  readonly path: string;
  /** Seconds since 1970 with nine decimals. */
  readonly time: string;
}

/** Number of utimensat(2); whoever is neither runs no such program. */
const UTIMENSAT = process.arch === 'arm64' ? 88 : 280;
/** perl-base is in every Debian; touch(1) sets one time, and starting it for each file takes longer than all else. */
const SET_TIMES = `
  my ($at_fdcwd, $omit, $nofollow) = (-100, 0x3ffffffe, 0x100);
  while (defined(my $time = <STDIN>)) {
    chomp $time;
    chomp(my $path = <STDIN>);
    $path = "./$path";
    my $times = pack("q4", 0, $omit, split(/[.]0*(?=.)/, $time));
    syscall($ARGV[0] + 0, $at_fdcwd, $path, $times, $nofollow) == 0 or die "$path: $!";
  }`;

/**
 * Gives files below `upper` the fractions of seconds of their times on the disk, which fuse2fs(1) does not tell. `stats`: of
 * `statFiles`.
 */
export async function copyTimes(
  jails: Jails,
  stats: string,
  upper: string,
  signal: AbortSignal,
): Promise<void> {
  const times = parseTimes(stats);
  if (times.length === 0) return;
  const lines = times.map(({ path, time }) => `${time}\n${path}\n`).join('');
  await changeRoot(jails, upper, `exec perl -e '${SET_TIMES}' ${UTIMENSAT}`, lines, signal);
}

/** debugfs(8), stat: `mtime: 0xSECONDS:EXTRA -- ...`; files whose time is a whole second are left out. */
export function parseTimes(text: string): FileTime[] {
  const times: FileTime[] = [];
  let path: string | undefined;
  for (const line of text.split('\n')) {
    path = askedFile(line) ?? path;
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
