import { MullionError } from '../contract/errors.ts';
import { hasNetworkRates } from '../contract/rates.ts';
import type { Forward } from '../contract/vps.ts';
import type { Logger } from '../core/logger.ts';
import {
  BRIDGE_PREFIX,
  bridgeName,
  forwardingRecordFile,
  LINK_PREFIX,
  type Naming,
  RATE_PREFIX,
} from '../core/naming.ts';
import { changeLinks } from '../host/links.ts';
import { raiseNeighbourTables } from '../host/neighbour-tables.ts';
import {
  enableForwarding,
  hasIpv6,
  isPortListening,
  linkAddresses,
  linkExists,
  listLinks,
  listRoutes,
  restoreForwarding,
  setNetSetting,
} from '../host/net.ts';
import { allLinkStatistics, linkStatistics } from '../host/net-links.ts';
import { createNftChanges, runNft } from '../host/nft.ts';
import { type Runner, run as runCommand } from '../host/run.ts';
import { createFirewallWriter } from './firewall-writer.ts';
import { NEIGHBOUR_ROOM } from './limits.ts';
import {
  bridgeMac,
  bridgeSettings,
  configureGuest,
  createBridge,
  createPair,
  joinBridge,
  raiseBridge,
  removeAddresses,
  removeLinks,
  removeNeighbours,
  setNeighbours,
} from './links.ts';
import { createNameServers } from './name-server.ts';
import type { Attachment, NetworkBackend, NetworkSpec } from './network.ts';
import { shaperOf, wantedShaper, writeRates } from './rate-writer.ts';
import { requireUnroutedSubnet } from './routes.ts';
import { attachmentOwner, networkOwner, RuleBook } from './rule-book.ts';
import { createRuleWriter } from './rule-writer.ts';
import { attachmentElements, networkElements } from './ruleset.ts';
import { REVIEW_MS, SynGuard } from './syn-guard.ts';

export interface LinuxNetworkOptions {
  readonly naming: Naming;
  readonly logger: Logger;
  readonly run?: Runner;
  /** How often it is looked whether another firewall filters. */
  readonly reviewMs?: number;
}

/** Networks of Linux bridges, nftables and dnsmasq, in the network namespace of this process. */
export function createLinuxNetwork({
  naming,
  logger,
  run = runCommand,
  reviewMs = REVIEW_MS,
}: LinuxNetworkOptions): NetworkBackend {
  const changes = createNftChanges(run);
  const kernel = { change: changes.run, replace: (commands: string) => runNft(run, commands) };
  const book = new RuleBook(naming);
  const rules = createRuleWriter(book, kernel, logger);
  const synGuard = new SynGuard(run, logger);
  const names = createNameServers(naming, run, logger);
  const forwardingRecord = forwardingRecordFile(naming);
  const firewall = createFirewallWriter(naming, run);
  const standing = new Set<string>();
  const building = new Map<string, Promise<void>>();
  const admitted = new Map<string, Attachment>();
  let prepared: Promise<void> | undefined;

  const bridgeOf = (network: NetworkSpec): string => bridgeName(naming, network.index);
  const isOurs = (link: string): boolean =>
    [BRIDGE_PREFIX, LINK_PREFIX, RATE_PREFIX].some((prefix) => link.startsWith(prefix(naming)));

  const openHost = async (): Promise<void> => {
    raiseNeighbourTables(NEIGHBOUR_ROOM);
    book.answersSyns = await synGuard.mayAnswer();
    synGuard.watch(reviewMs, async (mayAnswer) => {
      if (standing.size === 0 || mayAnswer === book.answersSyns) return;
      await rules.replace((one) => {
        one.answersSyns = mayAnswer;
      });
    });
    await enableForwarding(forwardingRecord);
  };
  const prepareHost = (): Promise<void> => {
    prepared ??= openHost()
      .then(() => rules.replace(() => undefined))
      .catch((failure: unknown) => {
        prepared = undefined;
        throw failure;
      });
    return prepared;
  };
  const buildBridge = async (network: NetworkSpec): Promise<void> => {
    const bridge = bridgeOf(network);
    const ipv6 = hasIpv6();
    if (linkExists(bridge)) {
      const wanted = [network.ipv4, network.ipv6].map(({ gateway, prefix }) => `${gateway}/${prefix}`);
      const stale = (await linkAddresses(run, bridge)).filter((address) => !wanted.includes(address));
      await changeLinks(removeAddresses(stale, bridge), { force: true });
    } else {
      requireUnroutedSubnet(network, await listRoutes());
      await changeLinks(createBridge(naming, network));
    }
    for (const [path, value] of bridgeSettings(bridge, ipv6)) await setNetSetting(path, value);
    await changeLinks(raiseBridge(naming, network, ipv6));
  };
  const build = async (network: NetworkSpec): Promise<void> => {
    await prepareHost();
    await rules.change((book) => book.set(networkOwner(network.index), networkElements(naming, network)));
    await buildBridge(network);
    await names.ensure(network);
    standing.add(bridgeOf(network));
  };
  const ensureNetwork = (network: NetworkSpec): Promise<void> => {
    const bridge = bridgeOf(network);
    const isUp = standing.has(bridge) && linkExists(bridge);
    const work =
      building.get(bridge) ??
      (isUp ? names.ensure(network) : build(network)).finally(() => building.delete(bridge));
    building.set(bridge, work);
    return work;
  };
  const setRules = (attachment: Attachment): Promise<void> => {
    const change = rules.change((book) =>
      book.set(attachmentOwner(attachment.vps), attachmentElements(attachment)),
    );
    admitted.set(attachment.vps, attachment);
    return change;
  };
  const warnOfHiddenListeners = async ({ vps, forwards }: Attachment): Promise<void> => {
    for (const { protocol, hostPort } of forwards) {
      if (await isPortListening(protocol, hostPort)) {
        logger.warn('a forward hides a port that a process of the host listens on', {
          vps,
          protocol,
          hostPort,
        });
      }
    }
  };

  return {
    ensureNetwork,
    sync: async (state) => {
      const bridges = new Set(state.networks.map(bridgeOf));
      const links = state.attachments.map(({ nic }) => nic.hostLink);
      const shapers = state.attachments.flatMap((attachment) => wantedShaper(naming, attachment));
      const wanted = new Set([...bridges, ...links, ...shapers]);
      const ours = (await listLinks()).filter(isOurs);
      await names.retain(bridges);
      await changeLinks(removeLinks(ours.filter((link) => !wanted.has(link))), { force: true });
      if (state.networks.length > 0) await openHost();
      await rules.replace((book) => book.load(state));
      prepared = state.networks.length > 0 ? Promise.resolve() : undefined;
      standing.clear();
      admitted.clear();
      for (const attachment of state.attachments) admitted.set(attachment.vps, attachment);
      const restore = async (network: NetworkSpec): Promise<void> => {
        await ensureNetwork(network);
        const members = state.attachments.filter((one) => one.network.index === network.index);
        await names.replace(network, members);
        const links = members.map(({ nic }) => nic.hostLink).filter((link) => ours.includes(link));
        const joins = links.flatMap((link) => joinBridge(link, bridgeOf(network)));
        const neighbours = members.flatMap((member) => setNeighbours(naming, member, hasIpv6()));
        await changeLinks([...joins, ...neighbours], { force: true });
      };
      await Promise.all(
        state.networks.map((network) =>
          restore(network).catch((failure: unknown) =>
            logger.error('a network cannot be restored; the next launch on it tries again', {
              network: network.name,
              failure,
            }),
          ),
        ),
      );
      for (const attachment of state.attachments) await warnOfHiddenListeners(attachment);
      setImmediate(changes.prepare);
    },
    removeNetwork: async (network) => {
      const bridge = bridgeOf(network);
      await building.get(bridge)?.catch(() => undefined);
      standing.delete(bridge);
      await names.stop(network);
      if (linkExists(bridge)) await changeLinks(removeLinks([bridge]));
      if (standing.size === 0 && building.size === 0) {
        prepared = undefined;
        await restoreForwarding(run, forwardingRecord);
      }
      await rules.change((book) => book.set(networkOwner(network.index), []));
    },
    admit: async (attachment) => {
      await ensureNetwork(attachment.network);
      const former = admitted.get(attachment.vps)?.hostname ?? attachment.hostname;
      const addName = former === attachment.hostname ? names.add : names.rename;
      await Promise.all([
        setRules(attachment),
        addName(attachment),
        changeLinks(setNeighbours(naming, attachment, hasIpv6())),
        warnOfHiddenListeners(attachment),
      ]);
    },
    connect: async (attachment, link) => {
      const bridge = bridgeOf(attachment.network);
      const { nic, rates } = attachment;
      switch (link.kind) {
        case 'none':
          return;
        case 'tap':
          await changeLinks(joinBridge(link.hostLink, bridge));
          break;
        case 'netns': {
          const stands = linkExists(nic.hostLink);
          const place = 'pid' in link ? { pid: link.pid } : { fd: link.fd };
          const isWhole = stands && 'pid' in link && (await listLinks(link.pid)).includes(nic.guestLink);
          if (isWhole) await changeLinks(joinBridge(nic.hostLink, bridge));
          else {
            const leftover = stands ? removeLinks([nic.hostLink]) : [];
            await changeLinks([...leftover, ...createPair(nic, bridge, place)]);
          }
          const gatewayMac = bridgeMac(naming, attachment.network);
          await changeLinks(configureGuest(nic, gatewayMac, hasIpv6()), { place });
        }
      }
      if (rates !== undefined && hasNetworkRates(rates)) await writeRates(naming, run, attachment);
    },
    detach: async (attachment) => {
      admitted.delete(attachment.vps);
      const { hostLink } = attachment.nic;
      const links = [hostLink, shaperOf(naming, hostLink)].filter(linkExists);
      await Promise.all([
        names.remove(attachment),
        changeLinks([...removeLinks(links), ...removeNeighbours(naming, attachment, hasIpv6())], {
          force: true,
        }),
        rules.change((book) => book.set(attachmentOwner(attachment.vps), [])),
      ]);
    },
    setForwards: async (attachment) => {
      const before = admitted.get(attachment.vps);
      if (before === undefined) return;
      await refuseHiddenListeners(before.forwards, attachment.forwards);
      await setRules({ ...before, forwards: attachment.forwards });
    },
    setRates: (attachment) => writeRates(naming, run, attachment),
    usage: async (hostLink) => {
      const counters = linkStatistics(hostLink);
      return { networkIn: counters?.txBytes ?? 0, networkOut: counters?.rxBytes ?? 0 };
    },
    setFirewall: (spec) => firewall.set(spec),
    firewallCounts: () => firewall.counts(),
    usageOfAll: async () => {
      const links = [...allLinkStatistics()].filter(([link]) => link.startsWith(LINK_PREFIX(naming)));
      return new Map(
        links.map(([link, { rxBytes, txBytes }]) => [link, { networkIn: txBytes, networkOut: rxBytes }]),
      );
    },
    close: async () => {
      synGuard.stop();
      standing.clear();
      admitted.clear();
      await Promise.allSettled(building.values());
      await names.close();
      await changeLinks(removeLinks((await listLinks()).filter(isOurs)), { force: true });
      await rules.remove();
      await firewall.set([]);
      await restoreForwarding(run, forwardingRecord);
      prepared = undefined;
    },
  };
}

/** A new forward must not take a port away from a process of the host. */
async function refuseHiddenListeners(before: readonly Forward[], after: readonly Forward[]): Promise<void> {
  for (const { protocol, hostPort } of after) {
    const known = before.some((one) => one.protocol === protocol && one.hostPort === hostPort);
    if (known || !(await isPortListening(protocol, hostPort))) continue;
    throw new MullionError('in_use', `A process of the host listens on port ${hostPort}/${protocol}.`, {
      remedy: 'Choose another host port, or stop that process',
    });
  }
}
