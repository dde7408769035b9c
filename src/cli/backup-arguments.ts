import type { Argument, Flag } from './command.ts';

export const BACKUP = {
  label: 'ID',
  summary: 'id of a backup, or its first digits',
  complete: 'backup',
} as const satisfies Argument;
export const REPOSITORY = {
  label: 'NAME',
  summary: 'name of a repository',
  complete: 'repository',
} as const satisfies Argument;
export const REPO_FLAG = {
  kind: 'text',
  value: 'NAME',
  summary: 'the repository, when there is more than one',
  complete: 'repository',
} as const satisfies Flag;
