import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import type { Machine } from '../../src/drivers/driver.ts';
import { AgentChannel } from '../../src/drivers/guest-agent/agent-channel.ts';
import { runnerFile } from '../../src/drivers/guest-agent/runner-file.ts';
import { diskFile } from '../../src/drivers/guest-disk/disk.ts';
import { renderProvision, writeInitramfs } from '../../src/drivers/guest-disk/initramfs.ts';
import { identityFiles } from '../../src/drivers/provision/identity.ts';
import { agentFiles } from '../../src/drivers/xen/agent-unit.ts';
import { AGENT_CHANNEL, offerChannels, openChannel, removeChannels } from '../../src/drivers/xen/channels.ts';
import { serveDisk } from '../../src/drivers/xen/disk-backend.ts';
import { announceLinks } from '../../src/drivers/xen/guest-links.ts';
import { guestType } from '../../src/drivers/xen/guest-type.ts';
import { machinePaths } from '../../src/drivers/xen/paths.ts';
import { renderConfiguration } from '../../src/drivers/xen/render.ts';
import { StoreConnection } from '../../src/drivers/xen/store-connection.ts';
import {
  createDomain,
  destroyDomain,
  hypervisorInfo,
  unpauseDomain,
} from '../../src/drivers/xen/toolstack.ts';
import { run } from '../../src/host/run.ts';
import { prepareDisk, untilCommanded } from './bare-machines.ts';

const UUID = '5b8f5b5e-0d0e-4c8e-9a55-6d756c6c696f';
const NAME = 'bare';

/** A domain that nobody manages, its agent at the end of a channel. */
export class BareDomain implements AsyncDisposable {
  readonly #store: StoreConnection;
  readonly #domain: number;
  readonly #agent: AgentChannel;

  constructor(store: StoreConnection, domain: number) {
    this.#store = store;
    this.#domain = domain;
    this.#agent = new AgentChannel(() => openChannel(store, domain, AGENT_CHANNEL));
  }

  answers(patienceMs: number): Promise<void> {
    return untilCommanded(this.#agent, patienceMs, () => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.close();
    await destroyDomain(NAME);
    await removeChannels(await this.#store.use(), this.#domain);
    this.#store.close();
  }
}

/**
 * A domain of xl(1) with the configuration that its driver renders. What a script of Xen's would do for its disk and its
 * link is done as the driver does it, which is faster.
 */
export async function prepareDomain(machine: Machine): Promise<{ start(): Promise<BareDomain> }> {
  const { vmlinuz, initramfs } = await prepareDisk(machine);
  const paths = machinePaths(machine);
  mkdirSync(paths.folder, { recursive: true });
  const files = [...identityFiles(machine), ...agentFiles(), runnerFile()];
  await writeInitramfs(initramfs, paths.initramfs, renderProvision(files, new Date()));
  const info = await hypervisorInfo();
  if (!existsSync('/dev/loop-control')) await run(['modprobe', 'loop']);
  return {
    start: async () => {
      const attached = await run(['losetup', '--find', '--show', diskFile(machine)]);
      const device = attached.stdout.trim();
      const store = new StoreConnection();
      const parts = {
        ...{ type: guestType(info.virtCaps), name: NAME, uuid: UUID, vmlinuz },
        ...{ initramfs: paths.initramfs, disk: device, hostCpus: info.cpus },
      };
      writeFileSync(paths.configuration, renderConfiguration(machine, parts));
      await createDomain(paths.configuration, NAME);
      const domain = Number((await run(['xl', 'domid', NAME])).stdout);
      await serveDisk(await store.use(), domain, device);
      // The back end holds it from here on.
      await run(['losetup', '--detach', device]);
      await offerChannels(await store.use(), domain);
      await announceLinks(await store.use(), domain, machine.nics.length);
      await unpauseDomain(NAME);
      return new BareDomain(store, domain);
    },
  };
}
