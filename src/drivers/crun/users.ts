import { MullionError } from '../../contract/errors.ts';

export interface GuestUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

export const ROOT: GuestUser = { name: 'root', uid: 0, gid: 0, groups: [], home: '/root' };

/** passwd(5), group(5): what the guest says of itself. */
export interface Accounts {
  readonly passwd: string;
  readonly group: string;
}

const rows = (text: string): string[][] => text.split('\n').map((line) => line.split(':'));

/** Ids beyond the VPS's own do not exist in it. */
function parseId(text: string | undefined, count: number): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id < count ? id : undefined;
}

/**
 * `USER` or `USER:GROUP`, each a name or a number. A number needs no entry.
 * @throws MullionError `not_found` for a name without one
 */
export function resolveUser(request: string, accounts: Accounts, count: number): GuestUser {
  const [userPart = '', groupPart] = request.split(':');
  const row = rows(accounts.passwd).find(([name, , uid]) => name === userPart || uid === userPart);
  const uid = parseId(row?.[2] ?? userPart, count);
  if (uid === undefined) throw unknown('user', userPart);
  const name = row?.[0] ?? userPart;
  const gid = groupPart === undefined ? parseId(row?.[3], count) : resolveGroup(groupPart, accounts, count);
  const groups =
    groupPart !== undefined
      ? []
      : rows(accounts.group).flatMap(([, , id, members]) =>
          (members ?? '').split(',').includes(name) ? (parseId(id, count) ?? []) : [],
        );
  const home = row?.[5] ?? '';
  return { name, uid, gid: gid ?? uid, groups, home: home.startsWith('/') ? home : '/' };
}

function resolveGroup(group: string, accounts: Accounts, count: number): number {
  const row = rows(accounts.group).find(([name]) => name === group);
  const gid = parseId(row?.[2] ?? group, count);
  if (gid === undefined) throw unknown('group', group);
  return gid;
}

const unknown = (what: string, name: string): MullionError =>
  new MullionError('not_found', `The VPS has no ${what} ${name}.`, {
    remedy: `Make it in the VPS first, or name one that /etc/${what === 'user' ? 'passwd' : 'group'} there has`,
  });
