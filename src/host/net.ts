import { existsSync, readdirSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { parseNetDev } from './net-links.ts';
import type { Runner } from './run.ts';

/** Everything here speaks of the network namespace that this process is in, unless a pid is given. */

const AddressListSchema = z.array(
  z.object({
    addr_info: z
      .array(z.object({ family: z.string(), local: z.string(), prefixlen: z.number(), scope: z.string() }))
      .default([]),
  }),
);

/** `address/prefix` of a link, without link-local ones. */
export async function linkAddresses(run: Runner, link: string): Promise<string[]> {
  const { stdout } = await run(['ip', '-json', 'addr', 'show', 'dev', link]);
  return AddressListSchema.parse(JSON.parse(stdout))
    .flatMap((entry) => entry.addr_info)
    .filter(({ scope }) => scope !== 'link')
    .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

/** /proc/sys/net follows the namespace of the reader; /sys/class/net follows the mount. */
export const linkExists = (link: string): boolean => existsSync(`/proc/sys/net/ipv4/conf/${link}`);

export const hasIpv6 = (): boolean => existsSync('/proc/sys/net/ipv6');

/** Names of links in our namespace, or in that of `pid`; empty when the process is gone. */
export async function listLinks(pid?: number): Promise<string[]> {
  return [...parseNetDev(await readOrEmpty(`/proc/${pid ?? 'thread-self'}/net/dev`)).keys()];
}

/** Writes a file below /proc/sys/net, unless it has that value already. */
export async function setNetSetting(path: string, value: string): Promise<void> {
  const file = `/proc/sys/net/${path}`;
  if ((await readFile(file, 'utf8')).trim() !== value) await writeFile(file, value);
}

/**
 * Lets this host forward packets of both families; what was set otherwise before is kept in the file `record`. Turning on IPv6 forwarding makes Linux ignore router
 * advertisements (ip-sysctl, accept_ra), so links that listen to them are first told to go on doing so.
 */
export async function enableForwarding(record: string): Promise<void> {
  const before = new Map<string, string>();
  const wanted = new Map<string, string>();
  const want = async (path: string, value: string, when?: string): Promise<void> => {
    const present = (await readOrEmpty(`/proc/sys/net/${path}`)).trim();
    if (present === value || (when !== undefined && present !== when)) return;
    before.set(path, present);
    wanted.set(path, value);
  };
  await want('ipv4/ip_forward', '1');
  const forwards6 = (await readOrEmpty('/proc/sys/net/ipv6/conf/all/forwarding')).trim();
  if (hasIpv6() && forwards6 !== '1') {
    for (const link of readdirSync('/proc/sys/net/ipv6/conf')) {
      await want(`ipv6/conf/${link}/accept_ra`, '2', '1');
    }
    await want('ipv6/conf/all/forwarding', '1');
  }
  if (wanted.size === 0) return;
  // Of several changes the first knows what was there before Mullion.
  const known = { ...Object.fromEntries(before), ...(await readSettings(record)) };
  await mkdir(dirname(record), { recursive: true });
  await writeFile(record, JSON.stringify(known));
  for (const [path, value] of wanted) await setNetSetting(path, value);
}

/** Puts back what `enableForwarding` changed, unless another bridge of this host may rely on it by now. */
export async function restoreForwarding(run: Runner, record: string): Promise<void> {
  const settings = Object.entries(await readSettings(record)).reverse();
  if (settings.length === 0) return;
  const { stdout } = await run(['ip', '-json', 'link', 'show', 'type', 'bridge']);
  const others = z.array(z.unknown()).parse(JSON.parse(stdout.trim() || '[]'));
  for (const [path, value] of others.length > 0 ? [] : settings) {
    // A link may have gone meanwhile, and its settings with it.
    await setNetSetting(path, value).catch(() => undefined);
  }
  await rm(record, { force: true });
}

const SettingsSchema = z.record(z.string().regex(/^ipv[46]\/[\w./-]+$/), z.string().regex(/^\d$/));
async function readSettings(record: string): Promise<Record<string, string>> {
  const text = await readOrEmpty(record);
  return text === '' ? {} : (SettingsSchema.safeParse(JSON.parse(text)).data ?? {});
}

/**
 * Hands bridged IP packets to the rules of `inet` tables, and to conntrack with them: what the module br_netfilter does.
 * False where this kernel has none.
 */
export async function filterBridged(run: Runner): Promise<boolean> {
  const folder = '/proc/sys/net/bridge';
  if (!existsSync(folder)) await run(['modprobe', 'br_netfilter']).catch(() => undefined);
  if (!existsSync(folder)) return false;
  for (const family of ['ip', 'ip6']) await setNetSetting(`bridge/bridge-nf-call-${family}tables`, '1');
  return true;
}

const CountersSchema = z.object({
  nftables: z.array(
    z.object({
      counter: z
        .object({ name: z.string(), table: z.string(), packets: z.number(), bytes: z.number() })
        .optional(),
    }),
  ),
});

/** Named counters of the tables of a name, in every family (libnftables-json(5)). */
export async function readCounters(
  run: Runner,
  table: string,
): Promise<{ name: string; packets: number; bytes: number }[]> {
  const { stdout } = await run(['nft', '-j', 'list', 'counters']);
  const found = CountersSchema.parse(JSON.parse(stdout)).nftables.flatMap(({ counter }) => counter ?? []);
  return found.filter((counter) => counter.table === table);
}

export interface Route {
  readonly link: string;
  /** Unsigned 32-bit number; the default route has prefix 0. */
  readonly destination: number;
  readonly prefix: number;
}

/** IPv4 routes of the main table (proc_net(5), file route: hexadecimal, in the host's byte order). */
export async function listRoutes(): Promise<Route[]> {
  const lines = (await readOrEmpty('/proc/self/net/route')).split('\n').slice(1);
  return lines
    .map((line) => line.split('\t'))
    .filter((columns) => columns.length > 7)
    .map((columns) => ({
      link: columns[0] ?? '',
      destination: swapBytes(columns[1] ?? ''),
      prefix: swapBytes(columns[7] ?? '')
        .toString(2)
        .replaceAll('0', '').length,
    }));
}

const swapBytes = (hexadecimal: string): number => Buffer.from(hexadecimal, 'hex').reverse().readUInt32BE(0);

const TCP_LISTEN = '0A';
const UDP_UNCONNECTED = '07';

/** True when a process of this host listens on the port (proc_net(5), files tcp, tcp6, udp, udp6). */
export async function isPortListening(protocol: 'tcp' | 'udp', port: number): Promise<boolean> {
  const wanted = protocol === 'tcp' ? TCP_LISTEN : UDP_UNCONNECTED;
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const texts = await Promise.all(
    ['', '6'].map((family) => readOrEmpty(`/proc/self/net/${protocol}${family}`)),
  );
  return texts.some((text) =>
    text.split('\n').some((line) => {
      const columns = line.trim().split(/ +/);
      return columns[1]?.endsWith(suffix) === true && columns[3] === wanted;
    }),
  );
}

async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}
