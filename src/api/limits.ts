import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { MullionError } from '../contract/errors.ts';
import type { Identity } from '../core/access.ts';
import { RequestBudget } from '../core/request-budget.ts';

/** What one listener gives at one time, and one client of it. */
export interface ApiLimits {
  readonly connections: number;
  /** Over the network, of one address. */
  readonly connectionsOfAddress: number;
  /** Event streams, logs, files, consoles, commands: what stays open. */
  readonly openEnds: number;
  /** Over the network, of one token: a second, and at once. */
  readonly requests: { readonly rate: number; readonly burst: number };
  /** A body of JSON arrives within this time, in milliseconds. */
  readonly bodyMs: number;
  /** A file goes on arriving after at most this time. */
  readonly idleMs: number;
  /** How often the token of an open request is looked at; what its end ends, ends this late. */
  readonly tokenCheckMs: number;
}

export const API_LIMITS: ApiLimits = {
  connections: 4096,
  connectionsOfAddress: 256,
  openEnds: 2048,
  requests: { rate: 100, burst: 500 },
  bodyMs: 30_000,
  idleMs: 120_000,
  tokenCheckMs: 15_000,
};

/** What is open at one time, counted. */
export class OpenEnds {
  readonly #most: number;
  #count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Counts one in until it is disposed of. @throws MullionError `too_many_requests` */
  enter(): Disposable {
    if (this.#count >= this.#most) {
      throw new MullionError('too_many_requests', `${this.#most} streams are open already.`, {
        remedy: 'End some of them, then try again',
      });
    }
    this.#count += 1;
    let entered = true;
    return {
      [Symbol.dispose]: () => {
        if (entered) this.#count -= 1;
        entered = false;
      },
    };
  }
}

/** Refuses a token that asks too often; users of the host are not counted. */
export function requestLimiter({ requests }: ApiLimits): (identity: Identity) => void {
  const budget = new RequestBudget(requests.rate, requests.burst);
  return ({ who, local }) => {
    if (local || budget.take(who, performance.now())) return;
    throw new MullionError('too_many_requests', `More than ${requests.rate} requests a second came.`);
  };
}

/** Ends connections beyond those that one address may have, before anything is read from them. */
export function limitAddresses(server: Server, most: number): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress;
    if (address === undefined) return;
    const count = (open.get(address) ?? 0) + 1;
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
    if (count > most) socket.destroy();
  });
}
