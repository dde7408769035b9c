import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { LAUNCHER, TestDaemon } from '../support/daemon.ts';
import { IPXE, MEMTEST, withoutForeignMedia } from '../support/foreign-media.ts';
import { installerIso } from '../support/installer-iso.ts';
import { type Inventory, nothingLeft } from '../support/inventory.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { Screens } from '../support/screens.ts';
import { infoOf } from './verbs.ts';

const PATIENCE = { timeoutMs: 120_000 };

if (enterPrivateNetns(import.meta.url)) {
  test('guests that nobody prepared boot by their own loaders, and show their screens', {
    skip: withoutForeignMedia(),
  }, async (t) => {
    await using daemon = await TestDaemon.start('foreign', { poolSize: '8G' });
    const screens = new Screens(
      daemon,
      process.env.MULLION_TEST_PICTURES ?? join(daemon.folder, 'pictures'),
      { shownMs: 90_000, saidMs: 120_000 },
    );
    const launch = (image: string, ...rest: string[]) =>
      daemon.ok(['launch', image, image, '--disk', '256M', ...rest], PATIENCE);
    // Taken once the installation has what it keeps: images, and the folders above its groups of processes.
    let before: Inventory | undefined;

    await daemon.check(
      t,
      'memtest86+ from its ISO, by BIOS, with memory and processor of its own',
      async () => {
        await daemon.ok(['image', 'import', MEMTEST, 'memtest']);
        const plan = await daemon.ok(['launch', 'memtest', '--dry-run', '--want', 'display']);
        assert.match(plan, /full .*gives display/);
        await launch('memtest');
        await screens.shows('memtest', /Memtest86\+ v[67]/);
        assert.match(await screens.text('memtest'), /Memory {2}: {2}51\dMB/);
      },
    );

    await daemon.check(
      t,
      'it is running with unknown health, and tells why it takes no command',
      async () => {
        const { state, health, message } = await infoOf(daemon, 'memtest');
        assert.deepEqual([state, health], ['running', 'unknown']);
        assert.match(message, /no agent/);
        for (const args of [
          ['exec', 'memtest', '--', 'true'],
          ['file', 'list', 'memtest', '/'],
        ]) {
          const refused = await daemon.cli(args);
          assert.equal(refused.code, 2, refused.stdout);
          assert.match(refused.stderr, /no agent[\s\S]*mullion console memtest --vga/);
        }
      },
    );

    await daemon.check(t, 'a VNC viewer is joined to its screen, and keys reach it', async () => {
      const socket = join(daemon.folder, 'screen');
      const child = spawn(LAUNCHER, ['console', 'memtest', '--vga', '--socket', socket], {
        env: { PATH: process.env.PATH, ...daemon.environment },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.after(() => child.kill('SIGKILL'));
      const lines = createInterface(child.stdout);
      const [first] = await Promise.race([once(lines, 'line'), once(child, 'exit')]);
      assert.match(String(first), /screen of memtest is at \//);
      assert.equal(statSync(socket).mode & 0o777, 0o600);
      const viewer = connect(socket);
      t.after(() => viewer.destroy());
      // The version, security type none, shared, then keys (RFC 6143, sections 7.1 and 7.5.4).
      const answer = async (): Promise<Buffer> => (await once(viewer, 'data'))[0];
      assert.match((await answer()).toString('latin1'), /^RFB 003\.008\n$/);
      viewer.write('RFB 003.008\n');
      assert.deepEqual([...(await answer())], [1, 1]);
      viewer.write(Buffer.from([1]));
      assert.deepEqual([...(await answer())], [0, 0, 0, 0]);
      viewer.write(Buffer.from([1]));
      assert.equal((await answer()).readUInt16BE(0), 720);
      // F1 opens the configuration.
      for (const down of [1, 0]) viewer.write(Buffer.from([4, down, 0, 0, 0, 0, 0xff, 0xbe]));
      await screens.shows('memtest', /Settings:|Test Selection/);
      child.kill('SIGINT');
      const [code] = await once(child, 'exit');
      assert.equal(code, 0);
      assert.equal(existsSync(socket), false);
    });

    await daemon.check(t, 'a daemon that was killed finds it and its screen again', async () => {
      await daemon.kill9();
      await daemon.start();
      assert.match(await screens.text('memtest'), /Memtest86\+/);
      await daemon.ok(['delete', 'memtest', '--force'], PATIENCE);
      await daemon.ok(['image', 'import', IPXE, 'ipxe-disk', '--format', 'raw']);
      before = await daemon.inventory();
    });

    await daemon.check(t, 'iPXE from a disk with its own loader gets its address by DHCP', async () => {
      await launch('ipxe-disk');
      const { addresses } = await infoOf(daemon, 'ipxe-disk');
      await screens.shows('ipxe-disk', new RegExp(`net0: ${addresses[0]?.replaceAll('.', '\\.')}/`));
      await daemon.ok(['delete', 'ipxe-disk', '--force'], PATIENCE);
    });

    await daemon.check(t, 'iPXE by UEFI, which keeps its variables in the volume', async () => {
      await daemon.ok(['image', 'import', IPXE, 'ipxe']);
      await launch('ipxe', '--firmware', 'uefi');
      await screens.says('ipxe', /iPXE initialising devices/);
      await screens.picture('ipxe');
      await daemon.ok(['delete', 'ipxe', '--force'], PATIENCE);
    });

    await daemon.check(t, "Debian's own installer asks its first question", async () => {
      await daemon.ok(['image', 'import', await installerIso(daemon.folder), 'installer']);
      await launch('installer', '--bus', 'virtio');
      await screens.says('installer', /\[!!\] (?:Low memory|Select a language)/);
      await screens.picture('installer');
      await daemon.ok(['delete', 'installer', '--force'], PATIENCE);
    });

    await daemon.check(t, 'what cannot be is refused with what would fit', async () => {
      const os = await daemon.cli(['launch', 'memtest', 'x', '--technique', 'os']);
      assert.equal(os.code, 2);
      assert.match(os.stderr, /lacks rootfs[\s\S]*--technique (?:hardware or )?full/);
    });

    await daemon.check(t, 'after deleting all, the host is as before', async () => {
      for (const image of ['ipxe', 'installer']) {
        await daemon.ok(['image', 'delete', image]);
      }
      assert.ok(before !== undefined);
      await nothingLeft(before, () => daemon.inventory());
    });
  });
}
