import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Forward } from '../../src/contract/vps.ts';
import type { Link } from '../../src/drivers/driver.ts';
import type { Attachment, NetworkBackend, NetworkSpec } from '../../src/network/network.ts';

export interface NetworkUnderTest extends AsyncDisposable {
  readonly backend: NetworkBackend;
  network(index: number): NetworkSpec;
  plan(network: NetworkSpec, name: string, forwards?: readonly Forward[]): Attachment;
  /** A prepared machine's link. */
  machine(): Promise<Link>;
}

/** What the engine relies on from every network backend: each call may come again, in any order of mishap. */
export function networkConformance(name: string, make: () => Promise<NetworkUnderTest>): void {
  const check = (what: string, body: (subject: NetworkUnderTest) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      await using subject = await make();
      await body(subject);
    });
  };
  const web: Forward = { protocol: 'tcp', hostPort: 8080, vpsPort: 80 };

  check('every call may be repeated', async ({ backend, network, plan, machine }) => {
    const lan = network(1);
    const attachment = plan(lan, 'a', [web]);
    const link = await machine();
    const twice = async (call: () => Promise<void>): Promise<void> => {
      await call();
      await call();
    };
    await twice(() => backend.sync({ networks: [], attachments: [] }));
    await twice(() => backend.ensureNetwork(lan));
    await twice(() => backend.admit(attachment));
    await twice(() => backend.connect(attachment, link));
    await twice(() => backend.setForwards({ ...attachment, forwards: [{ ...web, hostPort: 8081 }] }));
    await twice(() => backend.sync({ networks: [lan], attachments: [attachment] }));
    await twice(() => backend.detach(attachment));
    await twice(() => backend.removeNetwork(lan));
    await twice(() => backend.close());
  });

  check('detaching a VPS that was never admitted is no error', async ({ backend, network, plan }) => {
    await backend.detach(plan(network(1), 'a'));
    const lan = network(2);
    await backend.ensureNetwork(lan);
    await backend.detach(plan(lan, 'b'));
  });

  check('admitting makes the network when it is not there', async ({ backend, network, plan, machine }) => {
    const attachment = plan(network(1), 'a');
    await backend.admit(attachment);
    await backend.connect(attachment, await machine());
  });

  check('calls for the same network may come at once', async ({ backend, network, plan, machine }) => {
    const lan = network(1);
    await Promise.all([1, 2, 3].map(() => backend.ensureNetwork(lan)));
    await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (name) => {
        const attachment = plan(lan, name);
        const [link] = await Promise.all([machine(), backend.admit(attachment)]);
        await backend.connect(attachment, link);
        await backend.detach(attachment);
      }),
    );
  });

  check('a machine without a link is connected by doing nothing', async ({ backend, network, plan }) => {
    const attachment = plan(network(1), 'a');
    await backend.admit(attachment);
    await backend.connect(attachment, { kind: 'none' });
  });

  check('a link that is not there has passed no bytes', async ({ backend }) => {
    assert.deepEqual(await backend.usage('mv0000-fff'), { networkIn: 0, networkOut: 0 });
  });

  check('after close it can be used again', async ({ backend, network, plan }) => {
    await backend.admit(plan(network(1), 'a', [web]));
    await backend.close();
    await backend.admit(plan(network(1), 'b', [web]));
  });
}
