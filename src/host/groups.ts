import { readFileSync } from 'node:fs';

/** The id of a group of /etc/group (group(5)); undefined when there is none of that name. */
export function groupId(name: string, text: string = readFileSync('/etc/group', 'utf8')): number | undefined {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name}:`));
  const id = Number(line?.split(':')[2] ?? Number.NaN);
  return Number.isSafeInteger(id) ? id : undefined;
}
