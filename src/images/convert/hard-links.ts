import type { Jails } from '../../host/jail/jails.ts';
import { askedFile, changeRoot } from './disk-questions.ts';

/** The second of each two names becomes another of the first; the folder keeps its time. */
const LINK = `
  while (defined(my $first = <STDIN>)) {
    chomp $first;
    chomp(my $second = <STDIN>);
    ($first, $second) = ("./$first", "./$second");
    next if (lstat $first)[1] == (lstat $second)[1];
    my ($folder) = $second =~ m{^(.*)/};
    my ($read, $changed) = (lstat $folder)[8, 9];
    unlink($second) && link($first, $second) && utime($read, $changed, $folder) or die "$second: $!";
  }`;

/**
 * Makes one file again of the names that are one on the disk: fuse2fs(1) 1.47.2 gives each name a number of its own, by which
 * tar(1) takes them for several files. `stats`: of `statFiles`.
 */
export async function restoreLinks(
  jails: Jails,
  stats: string,
  upper: string,
  signal: AbortSignal,
): Promise<void> {
  const pairs = pairLinks(stats);
  if (pairs.length === 0) return;
  const lines = pairs.map(([first, second]) => `${first}\n${second}\n`).join('');
  await changeRoot(jails, upper, `exec perl -e '${LINK}'`, lines, signal);
}

/** debugfs(8), stat: `Inode: N   Type: ...`. The first name of each file with every other one. */
export function pairLinks(text: string): (readonly [first: string, second: string])[] {
  const firsts = new Map<string, string>();
  const pairs: (readonly [string, string])[] = [];
  let path: string | undefined;
  for (const line of text.split('\n')) {
    path = askedFile(line) ?? path;
    const number = /^Inode: (\d+) +Type: (?!directory)/.exec(line)?.[1];
    if (number === undefined || path === undefined) continue;
    const first = firsts.get(number);
    if (first === undefined) firsts.set(number, path);
    else pairs.push([first, path]);
    path = undefined;
  }
  return pairs;
}
