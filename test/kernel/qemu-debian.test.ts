import assert from 'node:assert/strict';
import { it } from 'node:test';
import { NO_RATES } from '../../src/contract/rates.ts';
import { finish } from '../conformance/drivers.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { openQemuFixture } from '../support/qemu-fixture.ts';
import { eventually } from '../support/scratch.ts';
import { fullImage, NO_IMAGE } from '../support/small-guest.ts';

const MIB = 1024 ** 2;
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl test';

if (enterPrivateNetns(import.meta.url)) {
  it('a whole Debian starts as this VPS and no other, keeps its limits, and ends when asked', {
    timeout: 400_000,
  }, async (t) => {
    const image = fullImage();
    if (image === undefined) return t.skip(NO_IMAGE);
    const on = openQemuFixture(image);
    const machine = await on.machine({
      name: 'web',
      limits: { cpus: 1, memory: 512 * MIB, disk: 3072 * MIB, pids: 100, ...NO_RATES },
      machineId: '0123456789abcdef0123456789abcdef',
      env: { GREETING: 'hello there' },
      sshKeys: [KEY],
      nics: [
        {
          hostLink: 'mvtest-2',
          guestLink: 'eth0',
          mac: '52:54:00:65:43:21',
          addresses: [{ address: '10.98.0.2', prefix: 24, gateway: '10.98.0.1' }],
          nameservers: ['10.98.0.1'],
          domain: 'test',
        },
      ],
    });
    t.after(async () => {
      await on.driver.remove(machine, undefined);
      await on.close();
    });
    await on.driver.populate(machine);
    const { handle, link } = await on.driver.prepare(machine);
    assert.deepEqual(link, { kind: 'tap', hostLink: 'mvtest-2' });
    await on.driver.start(machine, handle);
    await eventually(
      'ready',
      async () => (await on.driver.health?.isReady(machine, handle)) === true,
      240_000,
    );

    const sh = async (script: string): Promise<string> => {
      const request = { argv: ['sh', '-c', script], env: {}, tty: false };
      const session = await on.driver.exec?.exec(machine, handle, request);
      assert.ok(session !== undefined);
      const { stdout, stderr } = await finish(session);
      return stdout + stderr;
    };
    assert.equal(
      await sh('cat /proc/1/comm /etc/hostname /etc/machine-id'),
      `systemd\nweb\n${machine.machineId}\n`,
    );
    assert.match(await sh('cat /root/.ssh/authorized_keys2'), new RegExp(KEY.split(' ')[1] ?? ''));
    assert.equal(await sh('echo $GREETING'), 'hello there\n');
    await eventually(
      'its address is set',
      async () => (await sh('ip -br address show eth0')).includes('10.98.0.2/24'),
      60_000,
    );
    await eventually(
      'its disk has grown',
      async () => Number(await sh('df -m --output=size / | tail -1')) > 2700,
      60_000,
    );

    await on.driver.limits?.setLimits(machine, handle, machine.limits);
    const { processes = Number.NaN } = await on.driver.usage(machine, handle);
    assert.ok(processes > 3 && processes < 60, `${processes}`);
    const forked = await sh('n=0; while [ $n -lt 200 ]; do sleep 5 & n=$((n+1)); done; echo all');
    assert.match(forked, /[Cc]annot fork/);
    const { processes: most = Number.NaN } = await on.driver.usage(machine, handle);
    assert.ok(most <= machine.limits.pids + 5, `${most} of ${machine.limits.pids}`);

    assert.equal(await on.driver.shutdown(machine, handle, 90_000), true);
    assert.equal(await on.driver.recover(machine, handle), 'gone');
  });
}
