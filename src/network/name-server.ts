import { chmod, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../core/logger.ts';
import { BRIDGE_PREFIX, bridgeName, type Naming, networkRunDirectory } from '../core/naming.ts';
import {
  type DnsmasqServer,
  dnsmasqOfPidFile,
  findDnsmasq,
  isDnsmasqRunning,
  reloadDnsmasq,
  startDnsmasq,
  stopDnsmasq,
  unprivilegedAccount,
} from '../host/dnsmasq.ts';
import { hasIpv6 } from '../host/net.ts';
import type { Runner } from '../host/run.ts';
import {
  dnsmasqOptions,
  LEASES_FOLDER,
  leasesFile,
  NAMES_FOLDER,
  namesFile,
  PID_FILE,
} from './dnsmasq-options.ts';
import type { Attachment, NetworkSpec } from './network.ts';

export interface NameServers {
  /** Starts the network's server, or takes over the one that runs with the same options. */
  ensure(network: NetworkSpec): Promise<void>;
  add(attachment: Attachment): Promise<void>;
  /** Like `add`, for one that has had another name, which is forgotten. */
  rename(attachment: Attachment): Promise<void>;
  /** Reloads the server, so that its DHCP reservation goes too. */
  remove(attachment: Attachment): Promise<void>;
  /** Makes the network's names those of `attachments` and no others. */
  replace(network: NetworkSpec, attachments: readonly Attachment[]): Promise<void>;
  /** Ends the network's server and removes its folder. */
  stop(network: NetworkSpec): Promise<void>;
  /** Ends servers of ours whose bridge is not in `bridges`, and removes their folders. */
  retain(bridges: ReadonlySet<string>): Promise<void>;
  /** Ends all of ours and removes all folders. */
  close(): Promise<void>;
}

/** One dnsmasq for each network; its folder is named after the bridge. The servers outlive this process. */
export function createNameServers(naming: Naming, run: Runner, logger: Logger): NameServers {
  const servers = new Map<string, DnsmasqServer>();
  const root = networkRunDirectory(naming);
  const folderOf = (network: NetworkSpec): string => join(root, bridgeName(naming, network.index));

  /** Ours is a server of this installation's bridges; those of another one have other names. */
  const bridgeOf = (options: readonly string[]): string | undefined => {
    const named = options.find((option) => option.startsWith('--interface='))?.slice('--interface='.length);
    return named?.startsWith(BRIDGE_PREFIX(naming)) === true ? named : undefined;
  };

  const writeFiles = async (attachment: Attachment): Promise<void> => {
    const folder = folderOf(attachment.network);
    await Promise.all([
      replaceFile(join(folder, NAMES_FOLDER), attachment.vps, namesFile(attachment)),
      replaceFile(join(folder, LEASES_FOLDER), attachment.vps, leasesFile(attachment)),
    ]);
  };
  const removeFiles = async (network: NetworkSpec, vps: string): Promise<void> => {
    const folders = [NAMES_FOLDER, LEASES_FOLDER].map((name) => join(folderOf(network), name));
    await Promise.all(folders.map((folder) => rm(join(folder, vps), { force: true })));
  };
  const reload = (network: NetworkSpec): void => {
    const server = servers.get(bridgeName(naming, network.index));
    if (server !== undefined) reloadDnsmasq(server);
  };
  const stopServers = async (match: (bridge: string) => boolean): Promise<void> => {
    const found = findDnsmasq((options) => {
      const bridge = bridgeOf(options);
      return bridge !== undefined && match(bridge);
    });
    await Promise.all(found.map(stopDnsmasq));
    for (const bridge of servers.keys()) if (match(bridge)) servers.delete(bridge);
  };
  return {
    ensure: async (network) => {
      const bridge = bridgeName(naming, network.index);
      const known = servers.get(bridge);
      if (known !== undefined && isDnsmasqRunning(known)) return;
      const folder = folderOf(network);
      const options = dnsmasqOptions(network, bridge, unprivilegedAccount(), hasIpv6());
      const same = (found: readonly string[]): boolean => found.join('\0') === options.join('\0');
      const pidFile = join(folder, PID_FILE);
      const isNew = await makeFolders(folder);
      let server = isNew ? undefined : (dnsmasqOfPidFile(pidFile, same) ?? findDnsmasq(same)[0]);
      if (server === undefined) {
        const outdated = isNew ? [] : findDnsmasq((found) => bridgeOf(found) === bridge);
        await Promise.all(outdated.map(stopDnsmasq));
        await startDnsmasq(run, folder, options);
        server = dnsmasqOfPidFile(pidFile, same);
        logger.info('name server started', { network: network.name, bridge, pid: server?.pid });
      }
      if (server !== undefined) servers.set(bridge, server);
    },
    add: writeFiles,
    rename: async (attachment) => {
      await writeFiles(attachment);
      reload(attachment.network);
    },
    remove: async (attachment) => {
      await removeFiles(attachment.network, attachment.vps);
      reload(attachment.network);
    },
    replace: async (network, attachments) => {
      const wanted = new Set(attachments.map(({ vps }) => vps));
      const present = await Promise.all(
        [NAMES_FOLDER, LEASES_FOLDER].map((name) => readdir(join(folderOf(network), name))),
      );
      const stale = present.flat().filter((name) => !wanted.has(name));
      await Promise.all(stale.map((name) => removeFiles(network, name)));
      await Promise.all(attachments.map(writeFiles));
      if (stale.length > 0) reload(network);
    },
    stop: async (network) => {
      const bridge = bridgeName(naming, network.index);
      await stopServers((named) => named === bridge);
      await rm(folderOf(network), { recursive: true, force: true });
    },
    retain: async (bridges) => {
      await stopServers((bridge) => !bridges.has(bridge));
      const folders = await readdir(root).catch(() => []);
      const stale = folders.filter((name) => !bridges.has(name));
      await Promise.all(stale.map((name) => rm(join(root, name), { recursive: true, force: true })));
    },
    close: async () => {
      await stopServers(() => true);
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** True when there was none before. The server reads them under another account. */
async function makeFolders(folder: string): Promise<boolean> {
  const made = await mkdir(folder, { recursive: true });
  for (const name of ['.', NAMES_FOLDER, LEASES_FOLDER]) {
    await mkdir(join(folder, name), { recursive: true });
    await chmod(join(folder, name), 0o755);
  }
  return made !== undefined;
}

/** dnsmasq watches for renames and ignores names that start with a dot. */
async function replaceFile(folder: string, name: string, content: string): Promise<void> {
  const draft = join(folder, `.${name}`);
  await writeFile(draft, content);
  await chmod(draft, 0o644);
  await rename(draft, join(folder, name));
}
