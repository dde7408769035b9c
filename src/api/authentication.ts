import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { MullionError } from '../contract/errors.ts';

/** Credentials of the process at the other end of a Unix socket (unix(7), SO_PEERCRED and SO_PEERGROUPS). */
export interface Peer {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** Lets a request through, or throws `unauthenticated` or `forbidden`. */
export type Authenticate = (request: IncomingMessage) => void;

/** Root, and the members of `group`. */
export function authenticatePeer(
  identify: (socket: Socket) => Peer,
  group: number | undefined,
): Authenticate {
  return ({ socket }) => {
    const { uid, gid, groups } = identify(socket);
    if (uid === 0) return;
    if (group !== undefined && (gid === group || groups.includes(group))) return;
    throw new MullionError('forbidden', `The user ${uid} is not in the group mullion.`, {
      remedy: 'Run it as root, or add the user: adduser USER mullion, then log in again',
    });
  };
}

/** A bearer token (RFC 6750 section 2.1), compared in constant time. */
export function authenticateToken(token: string): Authenticate {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const expected = digest(token);
  return ({ headers }) => {
    const given = /^Bearer ([\x21-\x7e]{1,4096})$/i.exec(headers.authorization ?? '')?.[1];
    if (given !== undefined && timingSafeEqual(digest(given), expected)) return;
    throw new MullionError('unauthenticated', 'The request carries no valid bearer token.');
  };
}
