import { posix } from 'node:path';

/** As the kernel has it (path_resolution(7)). */
export const MOST_LINKS = 40;

export interface StatText {
  readonly type: string;
  readonly target: string | undefined;
}

/** debugfs splits at spaces outside quotes; a quote inside is doubled (ss library, parse.c). */
export const quoted = (path: string): string => `"${path.replaceAll('"', '""')}"`;

/** What `debugfs -R 'stat PATH'` prints; undefined when it found nothing. */
export function parseStat(text: string): StatText | undefined {
  const type = /^Inode: \d+ +Type: ([a-z ]+?) +Mode:/m.exec(text)?.[1];
  if (type === undefined) return undefined;
  return { type, target: /^Fast link dest: "([\s\S]*)"$/m.exec(text)?.[1] };
}

/** Where a link leads, never above the root. */
export const targetOf = (link: string, target: string): string =>
  posix.resolve('/', posix.dirname(link), target);
