import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { ImageSchema } from '../../src/contract/resources.ts';
import { run } from '../../src/host/run.ts';
import { TestDaemon } from '../support/daemon.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { PLAIN } from '../support/test-image.ts';
import { umlUnfit } from '../support/uml-fixture.ts';
import { infoOf } from './verbs.ts';

const MARK = `mkdir -p /srv/data && echo kept > /srv/data/file && chown 7:8 /srv/data/file && chmod 640 /srv/data/file
touch -d 2001-02-03T04:05:06.789 /srv/data/file && mkdir -p /srv/jail/dev && mknod /srv/jail/dev/null c 1 3
rm -r /etc/motd /usr/lib/udev/hwdb* && sync`;
const LOOK = "stat -c '%U %u:%g %a %.3Y' /srv/data/file; cat /srv/data/file; ls /etc/motd 2>&1 | wc -l";

if (enterPrivateNetns(import.meta.url)) {
  test('a machine that was published as an image serves every technique', async (t) => {
    // The quicker of the techniques whose data are a disk, where this host can run it.
    const machine = (await umlUnfit()) === undefined ? 'kernel' : 'full';
    await using daemon = await TestDaemon.start('publish', { poolSize: '8G' });
    await daemon.ensureQuickImage();
    const launch = (image: string, name: string, technique: string, ...more: string[]) =>
      daemon.ok(
        ['launch', image, name, '--technique', technique, '--memory', '384M', '--disk', '1G', ...more],
        { timeoutMs: 400_000 },
      );
    const patience = { timeoutMs: 120_000 };
    await launch('quick', 'source', machine);
    await daemon.answers('source');
    await daemon.inside('source', MARK, patience);
    const expected = await daemon.inside('source', LOOK, patience);
    const sourceId = await daemon.inside('source', 'cat /etc/machine-id', patience);
    await daemon.ok(['image', 'publish', 'source', 'golden'], { timeoutMs: 300_000 });
    await daemon.ok(['delete', 'source', '--force'], patience);

    await daemon.check(t, 'its image has a disk, and a root file system when one is needed', async () => {
      const { parts, onDemand } = ImageSchema.parse(
        JSON.parse(await daemon.ok(['image', 'info', 'golden', '--json'])),
      );
      assert.deepEqual([parts, onDemand], [['disk', 'kernel'], ['rootfs']]);
    });

    await daemon.check(t, 'two containers of it at once have its files, and are others', async () => {
      await Promise.all([launch('golden', 'one', 'os'), launch('golden', 'two', 'os', ...PLAIN)]);
      for (const name of ['one', 'two']) {
        assert.equal(await daemon.inside(name, LOOK), expected);
        assert.equal(await daemon.inside(name, 'hostname'), name);
        assert.notEqual(await daemon.inside(name, 'cat /etc/machine-id'), sourceId);
        assert.equal(await daemon.inside(name, "stat -c '%F' /srv/jail/dev/null"), 'character special file');
      }
      const folders = await daemon.inside('one', 'systemctl is-system-running --wait');
      assert.equal(folders, 'running');
    });

    await daemon.check(t, 'its backup comes back where nothing of the image is left', async () => {
      await daemon.ok(['backup', 'repo', 'add', 'vault', join(daemon.folder, 'vault')]);
      await daemon.inside('one', 'echo later > /srv/data/later; sync');
      const created = await daemon.cli(['backup', 'create', 'one', '--repo', 'vault'], patience);
      assert.equal(created.code, 0, created.stderr);
      const [{ id } = { id: '' }] = z
        .array(z.object({ id: z.string() }))
        .parse(JSON.parse(await daemon.ok(['backup', 'list', '--json'])));
      await daemon.ok(['delete', 'one', 'two', '--force'], patience);
      await daemon.ok(['image', 'delete', 'golden']);
      await daemon.ok(['backup', 'restore', id], { timeoutMs: 300_000 });
      assert.equal(await daemon.inside('one', LOOK), expected);
      assert.equal(await daemon.inside('one', 'cat /srv/data/later'), 'later');
    });

    await daemon.check(t, 'a machine of it becomes a container, before any other did', async () => {
      await launch('golden', 'machine', machine);
      await daemon.answers('machine');
      assert.equal(await daemon.inside('machine', LOOK, patience), expected);
      await daemon.ok(['convert', 'machine', '--technique', 'os'], { timeoutMs: 400_000 });
      assert.equal((await infoOf(daemon, 'machine')).technique, 'os');
      assert.equal(await daemon.inside('machine', LOOK), expected);
    });

    await daemon.check(t, 'it goes out as an archive of files too', async () => {
      const file = join(daemon.folder, 'golden.tar');
      await daemon.ok(['image', 'export', 'golden', file, '--format', 'tar'], patience);
      const { stdout } = await run(['tar', '--list', '--verbose', '--file', file]);
      assert.match(stdout, /^-rw-r----- 7\/8 +5 .* \.\/srv\/data\/file$/m);
    });
  });
}
