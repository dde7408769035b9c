import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { MullionError } from '../contract/errors.ts';
import type { Identity } from '../core/access.ts';
import { RequestBudget } from '../core/request-budget.ts';

/** Credentials of the process at the other end of a Unix socket (unix(7), SO_PEERCRED and SO_PEERGROUPS). */
export interface Peer {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** Whose request it is. @throws MullionError `unauthenticated`, `forbidden` or `too_many_requests` */
export type Authenticate = (request: IncomingMessage) => Identity;

/** Failed attempts of one address: a second, and at once. */
const FAILURES = { rate: 5, burst: 50 } as const;

/** Root, and the members of `group`: administrators. */
export function authenticatePeer(
  identify: (socket: Socket) => Peer,
  group: number | undefined,
): Authenticate {
  return ({ socket }) => {
    const { uid, gid, groups } = identify(socket);
    if (uid === 0 || (group !== undefined && (gid === group || groups.includes(group)))) {
      return { who: `uid:${uid}`, scope: 'admin', project: null, local: true };
    }
    throw new MullionError('forbidden', `The user ${uid} is not in the group mullion.`, {
      remedy: 'Run it as root, or add the user: adduser USER mullion, then log in again',
    });
  };
}

/**
 * A bearer token (RFC 6750 section 2.1). An address that fails too often is told so; a valid token is heard all the same, as
 * several clients may come from one address.
 */
export function authenticateToken(
  verify: (token: string) => Identity | undefined,
  now: () => number = () => performance.now(),
): Authenticate {
  const failures = new RequestBudget(FAILURES.rate, FAILURES.burst);
  return ({ headers, socket }) => {
    const given = /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(headers.authorization ?? '')?.[1];
    const identity = given === undefined ? undefined : verify(given);
    if (identity !== undefined) return identity;
    if (failures.take(socket.remoteAddress ?? '', now())) {
      throw new MullionError('unauthenticated', 'The request carries no valid bearer token.');
    }
    throw new MullionError('too_many_requests', 'Too many requests without a valid token came from here.');
  };
}

/** One token of an administrator that stands in a file of the host, compared in constant time. */
export function fixedToken(token: string): (given: string) => Identity | undefined {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const expected = digest(token);
  return (given) =>
    timingSafeEqual(digest(given), expected)
      ? { who: 'token:of-the-token-file', scope: 'admin', project: null, local: false }
      : undefined;
}
