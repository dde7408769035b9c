import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { Driver, Handle, Machine } from '../../src/drivers/driver.ts';
import { type DriverFixture, finish } from '../conformance/drivers.ts';
import { eventually } from './scratch.ts';

/** A running guest whose agent answers. Each start makes another handle, each daemon another driver. */
export class StandingGuest {
  readonly on: DriverFixture;
  machine: Machine;
  handle: Handle;
  driver: Driver;

  private constructor(on: DriverFixture, machine: Machine) {
    this.on = on;
    this.driver = on.driver;
    this.machine = machine;
    this.handle = { pid: 0, pidStart: 0, data: {} };
  }

  static async start(on: DriverFixture, overrides: Partial<Machine>): Promise<StandingGuest> {
    const guest = new StandingGuest(on, await on.machine(overrides));
    await guest.driver.populate(guest.machine);
    await guest.startAgain();
    return guest;
  }

  /** From its volume, once it has ended and is removed. */
  async startAgain(): Promise<void> {
    this.handle = (await this.driver.prepare(this.machine)).handle;
    await this.driver.start(this.machine, this.handle);
    await this.ready();
  }

  async isReady(): Promise<boolean> {
    return (await this.driver.health?.isReady(this.machine, this.handle)) === true;
  }

  ready(): Promise<void> {
    return eventually('ready', () => this.isReady(), this.on.patience.ready);
  }

  /** The daemon's death, and the driver that the next one has. */
  reopen(): Driver {
    this.driver = this.on.reopen();
    return this.driver;
  }

  async remove(): Promise<void> {
    await this.driver.remove(this.machine, this.handle);
  }

  async exec(script: string, ...args: string[]) {
    const request = { argv: ['sh', '-c', script, 'sh', ...args], env: {}, tty: false };
    const session = await this.driver.exec?.exec(this.machine, this.handle, request);
    assert.ok(session !== undefined);
    return session;
  }

  async sh(script: string, ...args: string[]) {
    return finish(await this.exec(script, ...args));
  }
}

export type Step = (title: string, body: (guest: StandingGuest, t: TestContext) => Promise<void>) => void;

interface Stand {
  /** The fixture, or why there is none. */
  open(): Promise<DriverFixture | string>;
  readonly machine: Partial<Machine>;
}

/**
 * Steps that one guest goes through, in their order: a start takes some guests long. It starts with the first of them,
 * and anew after one that failed.
 */
export function describeGuest(title: string, stand: Stand, steps: (step: Step) => void): void {
  describe(title, () => {
    let on: DriverFixture | undefined;
    let unfit: string | undefined;
    let guest: StandingGuest | undefined;
    before(async () => {
      const opened = await stand.open();
      if (typeof opened === 'string') unfit = opened;
      else on = opened;
    });
    after(async () => {
      await guest?.remove();
      await on?.close();
    });
    steps((name, body) => {
      it(name, { timeout: 180_000 }, async (t) => {
        if (on === undefined) return t.skip(unfit);
        guest ??= await StandingGuest.start(on, stand.machine);
        try {
          await body(guest, t);
        } catch (failure) {
          const left = await lastWords(guest).catch((cause: unknown) => [String(cause)]);
          for (const words of left) t.diagnostic(words);
          await guest.driver.remove(guest.machine, undefined);
          guest = undefined;
          throw failure;
        }
      });
    });
  });
}

/** What a guest that failed leaves to look at: whether it still runs, and the ends of its logs. */
async function lastWords({ driver, machine, handle }: StandingGuest): Promise<string[]> {
  const condition = await driver.recover(machine, handle).catch(String);
  const logs = readdirSync(machine.logDirectory).map((name) => {
    const text = readFileSync(join(machine.logDirectory, name), 'latin1');
    return `the end of ${name}: ${JSON.stringify(text.slice(-1000))}`;
  });
  return [`it is ${condition}`, ...logs];
}

/** A shell that forks until its guest refuses, says so, and ends what it began, which takes no fork. */
export const FORK_BOMB = `(
  trap 'for p in $pids; do kill $p; done' EXIT
  n=0; while [ $n -lt 400 ]; do sleep 1000 & pids="$pids $!"; n=$((n+1)); done
)`;

/** A link of the host's side whose other end is the guest's, with an address of its own. */
export const nicCalled = (hostLink: string, mac: string): Machine['nics'][number] => ({
  hostLink,
  guestLink: 'eth0',
  mac,
  addresses: [],
  nameservers: [],
  domain: 'test',
});

/** How a TCP connection fails: a machine that is there refuses it. */
export const connectionError = (host: string, port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 10_000 });
    socket.on('connect', () => resolve('connected'));
    socket.on('timeout', () => resolve('no answer'));
    socket.on('error', (failure) => resolve('code' in failure ? String(failure.code) : failure.message));
    socket.on('close', () => socket.destroy());
  });
