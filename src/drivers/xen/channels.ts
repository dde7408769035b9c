import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import { openRing } from './ring-stream.ts';
import type { StoreConnection } from './store-connection.ts';
import type { XenStore } from './xenstore.ts';

/** Linux has 8 terminals for consoles of hypervisors; the first is the console that people see (drivers/tty/hvc). */
export const CHANNELS = [1, 2, 3, 4, 5, 6, 7] as const;
export const AGENT_CHANNEL = 1;

/** XenbusState (Xen, public/io/xenbus.h). */
const INITIALISING = '1';
const CONNECTED = '4';
/** Closing, closed. */
const PARTINGS = ['5', '6'] as const;
export type Parting = (typeof PARTINGS)[number];
const isParting = (state: string | undefined): state is Parting => PARTINGS.some((one) => one === state);

/** The guest's device of a channel: it finds them in the order of their numbers. */
export const channelDevice = (channel: number): string => `/dev/hvc${channel}`;

export const frontends = (domain: number): string => `/local/domain/${domain}/device/console`;
const frontend = (domain: number, channel: number): string => `${frontends(domain)}/${channel}`;
const BACKENDS = '/local/domain/0/backend/console';
const backend = (domain: number, channel: number): string => `${BACKENDS}/${domain}/${channel}`;

/**
 * Gives a domain that has not run yet its channels: consoles (Xen, docs/misc/console.txt) whose other side is this
 * driver instead of a process for each guest.
 */
export async function offerChannels(store: XenStore, domain: number): Promise<void> {
  const guestOwns = [`n${domain}`, 'r0'];
  const hostOwns = ['n0', `r${domain}`];
  await store.write(frontends(domain), '', hostOwns);
  for (const channel of CHANNELS) {
    const front = frontend(domain, channel);
    const back = backend(domain, channel);
    await store.write(back, '', hostOwns);
    await Promise.all([
      store.write(`${back}/frontend`, front, hostOwns),
      store.write(`${back}/frontend-id`, String(domain), hostOwns),
      store.write(`${back}/online`, '1', hostOwns),
      // A guest's start waits half a minute for each device whose other side is not connected (Linux, xenbus_probe_frontend.c).
      store.write(`${back}/state`, CONNECTED, hostOwns),
      store.write(`${back}/protocol`, 'vt100', hostOwns),
    ]);
    await store.write(front, '', guestOwns);
    await Promise.all([
      store.write(`${front}/backend`, back, hostOwns),
      store.write(`${front}/backend-id`, '0', hostOwns),
      store.write(`${front}/type`, 'ioemu', hostOwns),
      store.write(`${front}/output`, 'pty', hostOwns),
      store.write(`${front}/state`, INITIALISING, guestOwns),
    ]);
  }
}

/** How far the guest has let each of its channels go, by their numbers; those that it uses are left out. */
export async function partingChannels(store: XenStore, domain: number): Promise<Map<number, Parting>> {
  const states = await Promise.all(
    CHANNELS.map(
      async (channel) => [channel, await store.read(`${frontend(domain, channel)}/state`)] as const,
    ),
  );
  return new Map(states.flatMap(([channel, state]) => (isParting(state) ? [[channel, state]] : [])));
}

export const followParting = (
  store: XenStore,
  domain: number,
  channel: number,
  state: Parting,
): Promise<void> => store.write(`${backend(domain, channel)}/state`, state);

/** Ids of domains that have/** Ids of domains that have channels, or had them: the toolstack leaves this side of them behind. */
export async function domainsWithChannels(store: XenStore): Promise<number[]> {
  return (await store.list(BACKENDS)).map(Number).filter(Number.isSafeInteger);
}

export const removeChannels = (store: XenStore, domain: number): Promise<void> =>
  store.remove(`${BACKENDS}/${domain}`);

/** The connection of a former daemon, or of a stream that was just closed, is gone after a moment. */
const OPEN_MS = 3_000;

/** @throws MullionError `guest_unresponsive` when the guest has not come so far, or does not offer what it should */
export async function openChannel(
  connection: StoreConnection,
  domain: number,
  channel: number,
): Promise<Duplex> {
  const deadline = performance.now() + OPEN_MS;
  for (;;) {
    const store = await connection.use();
    const front = frontend(domain, channel);
    const [reference, port] = await Promise.all([
      store.read(`${front}/ring-ref`).then(number),
      store.read(`${front}/port`).then(number),
    ]);
    try {
      if (reference === undefined || port === undefined) {
        throw new MullionError('guest_unresponsive', 'The guest has not opened its channels yet.');
      }
      return openRing({ domain, reference, port });
    } catch (cause) {
      if (performance.now() > deadline) {
        if (cause instanceof MullionError) throw cause;
        throw new MullionError('guest_unresponsive', "The guest's channel cannot be opened.", { cause });
      }
      await sleep(100);
    }
  }
}

const number = (value: string | undefined): number | undefined =>
  value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
