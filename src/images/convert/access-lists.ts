import type { Jails } from '../../host/jail/jails.ts';
import { askDisk, changeRoot, isPlain, lookInDisk } from './disk-questions.ts';

const ACCESS = 'system.posix_acl_access';
const DEFAULT = 'system.posix_acl_default';

export interface ListedAttribute {
  readonly path: string;
  readonly name: string;
}

/**
 * Copies the POSIX access lists (acl(5)) of a disk's files to the same files below `upper`. In a user namespace fuse(4)
 * tells that there is one, not what it says; debugfs(8) does.
 */
export async function copyAccessLists(
  jails: Jails,
  disk: string,
  upper: string,
  signal: AbortSignal,
): Promise<void> {
  const look = "getfattr -R -P -h -m '^system[.]posix_acl_' . 2>/dev/null";
  const listed = parseNames(await lookInDisk(jails, disk, look, signal));
  if (listed.length === 0) return;
  const questions = listed.map(({ path, name }) => `ea_get -x "/${path === '.' ? '' : path}" ${name}`);
  const values = parseAnswers(await askDisk(jails, disk, questions, signal));
  await changeRoot(jails, upper, 'setfattr -h --restore=-', renderRestore(listed, values), signal);
}

/** getfattr(1): a heading for each file, then the names of its attributes. Odd names come escaped, and are left. */
export function parseNames(text: string): ListedAttribute[] {
  const listed: ListedAttribute[] = [];
  let path = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('# file: ')) path = line.slice('# file: '.length);
    else if ((line === ACCESS || line === DEFAULT) && isPlain(path)) listed.push({ path, name: line });
  }
  return listed;
}

/** One value for each question, in order: `name = 02 00 00 00 ...`, or `name (44) = ...`. */
export function parseAnswers(text: string): string[] {
  return text
    .split('\n')
    .map((line) => /^system\.posix_acl_\w+(?: \(\d+\))? = ((?:[0-9a-f]{2} ?)+)$/.exec(line.trim())?.[1])
    .filter((value) => value !== undefined)
    .map((value) => value.replaceAll(' ', ''));
}

/** The form of getfattr(1) --dump that setfattr(1) --restore reads. */
export const renderRestore = (listed: readonly ListedAttribute[], values: readonly string[]): string =>
  listed
    .map(({ path, name }, index) =>
      values[index] === undefined ? '' : `# file: ${path}\n${name}=0x${values[index]}\n\n`,
    )
    .join('');
