import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
import { nothingLeft } from '../support/inventory.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { PAGE_IMAGE } from '../support/test-image.ts';
import { stateOf } from './verbs.ts';

const [IMAGE] = PAGE_IMAGE;
const PAGE = '<!doctype html>\n<title>served from inside</title>\n';
/** From the launch's end until systemd says so, on a machine with other work to do. */
const ACTIVE_WITHIN_MS = 20_000;
/** A browser of one line: the answer of the server, headers and all. */
const BROWSE = `exec 3<>/dev/tcp/web/80 && printf 'GET / HTTP/1.0\\r\\nHost: web\\r\\n\\r\\n' >&3 && cat <&3`;

/** What the loopback of the host answers at a port; undefined when nobody does. */
const readPage = (url: string): Promise<string | undefined> =>
  fetch(url, { signal: AbortSignal.timeout(5_000), headers: { connection: 'close' } }).then(
    async (response) => (response.ok ? response.text() : undefined),
    () => undefined,
  );

if (enterPrivateNetns(import.meta.url)) {
  test('a web server out of an image with nginx serves the host and its neighbours', async (t) => {
    await using daemon = await TestDaemon.start('page', { poolSize: '4G' });
    await daemon.ok(['image', 'build', ...PAGE_IMAGE], {
      timeoutMs: 900_000,
    });
    const before = await daemon.inventory();
    const launch = (name: string) =>
      daemon.ok(['launch', IMAGE, name, '--technique', 'os', '--memory', '256M', '--disk', '1G']);

    await daemon.check(t, 'nginx runs within seconds of the launch, nothing installed by hand', async () => {
      await launch('web');
      await eventually(
        'nginx is active',
        async () =>
          (await daemon.cli(['exec', 'web', '--', 'systemctl', 'is-active', 'nginx'])).stdout === 'active\n',
        ACTIVE_WITHIN_MS,
      );
      const [online, nginx] = await Promise.all(
        ['network-online.target', 'nginx.service'].map(async (unit) => {
          const shown = await daemon.inside('web', `systemctl show ${unit} -p ActiveEnterTimestampMonotonic`);
          return Number(shown.split('=')[1]);
        }),
      );
      assert.ok(online !== undefined && nginx !== undefined && online > 0, 'nginx wants the network online');
      assert.ok(online <= nginx, 'and began when it was');
      assert.equal(
        await daemon.inside('web', 'systemctl is-failed nginx network-online.target || true'),
        'active\nactive',
      );
    });

    await daemon.check(t, 'the page is read through a forward on the loopback of the host', async () => {
      await daemon.ok(['exec', 'web', '--', 'tee', '/var/www/html/index.html'], { stdin: PAGE });
      await daemon.ok(['forward', 'add', 'web', '18081:80']);
      await eventually(
        'the page is there',
        async () => (await readPage('http://127.0.0.1:18081/')) === PAGE,
        10_000,
      );
    });

    await daemon.check(t, 'a second VPS reads the page by the name of the first', async () => {
      await launch('reader');
      const browse = ['exec', 'reader', '--', 'timeout', '10', 'bash', '-c', BROWSE];
      await eventually(
        'the name resolves and the page comes',
        async () => {
          const { code, stdout } = await daemon.cli(browse);
          return code === 0 && /^HTTP\/1\.1 200 OK\r\n/.test(stdout) && stdout.endsWith(`\r\n\r\n${PAGE}`);
        },
        30_000,
      );
      assert.match(await daemon.inside('web', 'cat /var/log/nginx/access.log'), /"GET \/ HTTP\/1\.0" 200/);
    });

    await daemon.check(t, 'the page is back after a restart, without anyone doing anything', async () => {
      await daemon.ok(['restart', 'web']);
      await eventually(
        'the page is there again',
        async () => (await readPage('http://127.0.0.1:18081/')) === PAGE,
        ACTIVE_WITHIN_MS,
      );
      assert.equal(await stateOf(daemon, 'reader'), 'running');
    });

    await daemon.check(t, 'deleted, nobody answers and nothing is left', async () => {
      await daemon.ok(['delete', 'web', 'reader', '--force']);
      assert.equal(await readPage('http://127.0.0.1:18081/'), undefined);
      await nothingLeft(before, () => daemon.inventory());
    });
  });
}
