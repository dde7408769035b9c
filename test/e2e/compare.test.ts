import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MEASURES } from '../../src/cli/compare/measures.ts';
import { LAUNCHER, TestDaemon } from '../support/daemon.ts';
import { nothingLeft } from '../support/inventory.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { type PrintedComparison, PrintedComparisonSchema } from '../support/printed-comparison.ts';
import { eventually } from '../support/scratch.ts';

const PATIENCE = { timeoutMs: 600_000 };

if (enterPrivateNetns(import.meta.url)) {
  test('compare measures techniques side by side and leaves nothing behind', async (t) => {
    await using daemon = await TestDaemon.start('compare');
    // What an installation keeps from its first VPS on is there before anything is counted.
    await daemon.ensureImage();
    await daemon.ok(['launch', 'debian/12', 'first', '--technique', 'os']);
    await daemon.ok(['delete', 'first', '--force']);
    const before = await daemon.inventory();
    const report = join(daemon.folder, 'report.html');
    const compare = async (...args: string[]): Promise<PrintedComparison> =>
      PrintedComparisonSchema.parse(
        JSON.parse(await daemon.ok(['compare', '--quick', '--json', ...args], PATIENCE)),
      );
    const leavesNothing = async (): Promise<void> => {
      assert.deepEqual(await daemon.client.call('vps.list'), []);
      await nothingLeft(before, () => daemon.inventory());
    };

    await daemon.check(t, 'it builds its image, measures everything, and deletes what it made', async () => {
      const { techniques, image } = await compare(
        '--technique',
        'os',
        '--technique',
        'para',
        '--html',
        report,
      );
      const os = techniques.find(({ technique }) => technique === 'os');
      assert.equal(os?.state, 'measured', os?.reason);
      for (const { id } of MEASURES) {
        const found = os?.values[id];
        assert.ok((found?.value ?? 0) > 0, `${id}: ${JSON.stringify(found)}`);
      }
      assert.ok((os?.values.ready?.value ?? 0) >= (os?.values.userspace?.value ?? 0));
      assert.deepEqual(techniques.map(({ technique }) => technique).sort(), ['os', 'para']);
      const images = await daemon.client.call('images.list');
      assert.ok(!images.some(({ name }) => name === image));
      await leavesNothing();
    });

    await daemon.check(t, 'its report has a chart for each measure and names what cannot run', async () => {
      const html = readFileSync(report, 'utf8');
      assert.equal(html.match(/<svg /g)?.length, MEASURES.length);
      const para = (await daemon.client.call('techniques.list')).find(({ id }) => id === 'para');
      if (para?.state !== 'healthy')
        assert.match(html, new RegExp(`para:[\\s\\S]*${para?.reason.slice(0, 20)}`));
    });

    await daemon.check(t, 'an image without the programs is measured by what it has', async () => {
      const { techniques } = await compare('--technique', 'os', '--image', 'debian/12');
      const { values = {} } = techniques[0] ?? {};
      assert.ok((values.syscalls?.value ?? 0) > 0);
      assert.match(values.commits?.reason ?? '', /the image has no fio/);
      await leavesNothing();
    });

    await daemon.check(t, 'Ctrl-C ends it, and deletes what it had made', async () => {
      const args = ['compare', '--technique', 'os', '--image', 'debian/12', '--html', `${report}.not`];
      const child = spawn(LAUNCHER, args, {
        env: { PATH: process.env.PATH, ...daemon.environment },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      t.after(() => child.kill('SIGKILL'));
      await eventually(
        'its VPS runs',
        async () => (await daemon.client.call('vps.list')).some(({ state }) => state === 'running'),
        60_000,
      );
      child.kill('SIGINT');
      const [code] = await once(child, 'exit');
      assert.equal(code, 130);
      assert.equal(existsSync(`${report}.not`), false);
      await leavesNothing();
    });

    await daemon.check(t, 'what cannot be is refused before anything is made', async () => {
      const refusals = [
        [['--technique', 'magic'], 2],
        [['--no-wait'], 2],
        [['--image', 'no-such-image'], 2],
        [['--html', join(daemon.folder, 'no-folder', 'report.html')], 2],
      ] as const;
      for (const [args, code] of refusals) {
        const refused = await daemon.cli(['compare', '--technique', 'os', ...args], PATIENCE);
        assert.equal(refused.code, code, `${args.join(' ')}: ${refused.stderr}${refused.stdout}`);
      }
      await leavesNothing();
    });
  });
}
