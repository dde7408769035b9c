import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { NO_RATES } from '../../src/contract/rates.ts';
import { Lxcfs } from '../../src/drivers/crun/view/lxcfs.ts';
import { OciRuntime } from '../../src/host/oci/runtime.ts';
import { programPath } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import { finish } from '../conformance/drivers.ts';
import { runCommand } from '../support/command.ts';
import { debianImage, NO_DEBIAN, openCrunFixture } from '../support/crun-fixture.ts';
import { scratchDirectory } from '../support/scratch.ts';
import { type Facts, hostWords, leaksOf, PROBE, parseFacts, probeText } from './leak-score.ts';

const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';
const MIB = 1024 ** 2;

test('a VPS knows less of its host than a container of other software', async (t) => {
  const image = debianImage();
  if (process.getuid?.() !== 0) return t.skip('needs root');
  if (image?.rootfs === undefined) return t.skip(NO_DEBIAN);
  const scratch = scratchDirectory('leaks');
  t.after(() => scratch[Symbol.dispose]());
  // A tree of their own, as the others write to theirs.
  const tree = join(scratch.path, 'tree');
  await run(['cp', '-a', '--reflink=auto', image.rootfs, tree]);
  copyFileSync(PROBE, join(tree, 'probe.pl'));

  const onHost = async (): Promise<Facts> =>
    parseFacts((await run(['perl', PROBE], { env: { PATH } })).stdout);
  const scores = new Map<string, number>();
  const score = async (name: string, inside: () => Promise<string>): Promise<void> => {
    const before = await onHost();
    const text = await inside();
    const facts = parseFacts(text);
    assert.ok(facts.size > 300, `${name}: ${facts.size} facts: ${text.slice(0, 500)}`);
    const leaks = leaksOf([before, await onHost()], facts, hostWords());
    scores.set(name, leaks.length);
    t.diagnostic(`${name}: ${leaks.length} of ${facts.size} facts are the host's`);
  };

  await score('mullion, technique os', async () => {
    const fixture = openCrunFixture(image, 60_000);
    const machine = await fixture.machine({
      limits: { cpus: 1, memory: 192 * MIB, disk: 1024 * MIB, pids: 200, ...NO_RATES },
    });
    try {
      await fixture.driver.populate(machine);
      const { handle } = await fixture.driver.prepare(machine);
      await fixture.driver.start(machine, handle);
      const session = await fixture.driver.exec?.exec(machine, handle, {
        argv: ['perl', '-'],
        env: {},
        tty: false,
      });
      assert.ok(session !== undefined);
      return (await finish(session, probeText())).stdout;
    } finally {
      await fixture.driver.remove(machine, undefined);
      await fixture.close();
    }
  });

  await score('crun, as it comes', async () => {
    const bundle = join(scratch.path, 'bundle');
    mkdirSync(bundle);
    await run(['crun', 'spec'], { cwd: bundle });
    const config: unknown = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
    assert.ok(
      typeof config === 'object' &&
        config !== null &&
        'process' in config &&
        typeof config.process === 'object',
    );
    const own = {
      ...config,
      root: { path: tree },
      process: { ...config.process, terminal: false, args: ['perl', '/probe.pl'] },
    };
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(own));
    const child = new OciRuntime({ stateDirectory: join(scratch.path, 'oci') }).run(
      bundle,
      'plain',
      'ignore',
    );
    child.stderr.resume();
    let text = '';
    for await (const piece of child.stdout) text += String(piece);
    return text;
  });

  if (programPath('lxc-execute') === undefined) t.diagnostic('lxc is not installed: not compared');
  else {
    const lxcfs = new Lxcfs(scratch.path, async () => undefined);
    await lxcfs.ensure();
    try {
      await score('lxc, with lxcfs', async () => {
        const files = ['cpuinfo', 'diskstats', 'loadavg', 'meminfo', 'stat', 'swaps', 'uptime', 'slabinfo'];
        const config = join(scratch.path, 'lxc.conf');
        writeFileSync(
          config,
          [
            'lxc.include = /usr/share/lxc/config/common.conf',
            `lxc.rootfs.path = dir:${tree}`,
            'lxc.uts.name = compared',
            'lxc.net.0.type = empty',
            'lxc.apparmor.profile = unconfined',
            'lxc.mount.auto = proc:mixed sys:ro',
            ...files.map(
              (name) => `lxc.mount.entry = ${lxcfs.folder}/proc/${name} proc/${name} none bind,optional 0 0`,
            ),
            '',
          ].join('\n'),
        );
        const argv = [
          'lxc-execute',
          '-P',
          scratch.path,
          '-n',
          'compared',
          '-f',
          config,
          '--',
          'perl',
          '/probe.pl',
        ];
        const { stdout, stderr } = await runCommand(argv, { env: { PATH }, timeoutMs: 60_000 });
        return `${stdout}${stderr}`;
      });
    } finally {
      await lxcfs.remove();
    }
  }
  rmSync(tree, { recursive: true, force: true });
  const [own = 0, ...others] = scores.values();
  assert.ok(others.length > 0 && others.every((other) => own < other), JSON.stringify([...scores]));
});
