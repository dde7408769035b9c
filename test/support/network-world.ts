import assert from 'node:assert/strict';
import { closeSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Forward } from '../../src/contract/vps.ts';
import { allocateAddress, ipv4Segment, ipv6Segment } from '../../src/core/addresses.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createNaming, linkName, macAddress, type Naming } from '../../src/core/naming.ts';
import { openTap } from '../../src/host/tap.ts';
import { createLinuxNetwork } from '../../src/network/linux-network.ts';
import type { Attachment, NetworkBackend, NetworkSpec } from '../../src/network/network.ts';
import { attempt, NetnsGuest } from './netns.ts';
import { scratchDirectory } from './scratch.ts';

/** A VPS that sends whatever frames it likes. */
export interface Sender {
  readonly attachment: Attachment;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly mac: string;
  /** Frames as they are, one after the other. */
  send(frames: readonly Buffer[]): Promise<void>;
}

export interface Member extends Sender {
  readonly guest: NetnsGuest;
}

/** The host's addresses towards the outside, and those of the machine there (RFC 5737, RFC 3849). */
export const HOST_OUTSIDE = { ipv4: '192.0.2.1', ipv6: '2001:db8::1' };
export const OUTSIDE = { ipv4: '192.0.2.2', ipv6: '2001:db8::2' };

/** One installation with its real bridges, rules and name servers, in the network namespace of the test. */
export class NetworkWorld implements AsyncDisposable {
  readonly naming: Naming;
  readonly backend: NetworkBackend;
  readonly #scratch = scratchDirectory('network');
  readonly #guests: NetnsGuest[] = [];
  readonly #taps: number[] = [];
  readonly #uplinks: string[] = [];
  readonly #taken = new Set<string>();
  #slots = 0;

  constructor() {
    this.naming = createNaming(join(this.#scratch.path, 'state'), join(this.#scratch.path, 'run'));
    this.backend = this.restart();
  }

  /** A backend that knows nothing, as after the daemon was killed. */
  restart(): NetworkBackend {
    return createLinuxNetwork({ naming: this.naming, logger: silentLogger });
  }

  network(index: number, name = `net${index}`): NetworkSpec {
    return {
      index,
      name,
      project: name,
      ipv4: ipv4Segment(`10.77.${index}.0/24`),
      ipv6: ipv6Segment(this.naming.instance, index),
      domain: `${name}.internal`,
    };
  }

  /** The attachment of a VPS that is not there yet. */
  plan(network: NetworkSpec, name: string, forwards: readonly Forward[] = []): Attachment {
    const pair = allocateAddress(network, this.#taken);
    this.#taken.add(pair.ipv4);
    return {
      vps: `id-${name}`,
      hostname: name,
      network,
      forwards,
      nic: {
        hostLink: linkName(this.naming, this.#slots++),
        guestLink: 'eth0',
        mac: macAddress(`${this.naming.instance} ${name}`),
        addresses: [
          { address: pair.ipv4, ...network.ipv4 },
          { address: pair.ipv6, ...network.ipv6 },
        ],
        nameservers: [network.ipv4.gateway, network.ipv6.gateway],
        domain: network.domain,
      },
    };
  }

  async guest(): Promise<NetnsGuest> {
    const guest = await NetnsGuest.start();
    this.#guests.push(guest);
    return guest;
  }

  /** Launches a VPS that is a bare network namespace. */
  async join(network: NetworkSpec, name: string, forwards: readonly Forward[] = []): Promise<Member> {
    const attachment = this.plan(network, name, forwards);
    const guest = await this.guest();
    await this.backend.admit(attachment);
    await this.backend.connect(attachment, { kind: 'netns', pid: guest.pid });
    const send = async (frames: readonly Buffer[]): Promise<void> => {
      for (const frame of frames) await must(guest.command(['socat', '-u', '-', 'INTERFACE:eth0']), frame);
    };
    return { guest, ...endsOf(attachment), send };
  }

  /** Launches a VPS of which there is no more than the tap that a virtual machine would hold. */
  async joinMachine(network: NetworkSpec, name: string): Promise<Sender> {
    const attachment = this.plan(network, name);
    const { hostLink } = attachment.nic;
    const tap = openTap(hostLink, { headers: false });
    this.#taps.push(tap);
    await this.backend.admit(attachment);
    await this.backend.connect(attachment, { kind: 'tap', hostLink });
    const send = async (frames: readonly Buffer[]): Promise<void> => {
      for (const frame of frames) assert.equal(writeSync(tap, frame), frame.length);
    };
    return { ...endsOf(attachment), send };
  }

  /** A machine outside, behind an interface of the host. It has no route to the networks, only to the host. */
  async outside(link = 'up0', hostIpv4 = HOST_OUTSIDE.ipv4, ipv4 = OUTSIDE.ipv4): Promise<NetnsGuest> {
    const guest = await this.guest();
    const pid = String(guest.pid);
    await must(['ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pid]);
    this.#uplinks.push(link);
    await must(['ip', 'addr', 'add', `${hostIpv4}/24`, 'dev', link]);
    await must(['ip', 'link', 'set', link, 'up']);
    await must(guest.command(['ip', 'addr', 'add', `${ipv4}/24`, 'dev', 'eth0']));
    if (link === 'up0') {
      await must(['ip', 'addr', 'add', `${HOST_OUTSIDE.ipv6}/64`, 'dev', link, 'nodad']);
      await must(guest.command(['ip', 'addr', 'add', `${OUTSIDE.ipv6}/64`, 'dev', 'eth0', 'nodad']));
    }
    await must(guest.command(['ip', 'link', 'set', 'eth0', 'up']));
    return guest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.restart().close();
    await Promise.all(this.#guests.map((guest) => guest[Symbol.asyncDispose]()));
    for (const tap of this.#taps) closeSync(tap);
    for (const link of this.#uplinks) await attempt(['ip', 'link', 'del', link]);
    this.#scratch[Symbol.dispose]();
  }
}

function endsOf(attachment: Attachment): Pick<Sender, 'attachment' | 'ipv4' | 'ipv6' | 'mac'> {
  const { mac, addresses } = attachment.nic;
  const [ipv4 = '', ipv6 = ''] = addresses.map(({ address }) => address);
  return { attachment, ipv4, ipv6, mac };
}

export async function must(argv: readonly string[], stdin: string | Uint8Array = ''): Promise<string> {
  const result = await attempt(argv, stdin);
  assert.equal(result.code, 0, `${argv.join(' ')}: ${result.stderr}`);
  return result.stdout;
}
