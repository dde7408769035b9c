import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import type { ExecRequest } from '../../src/contract/streams.ts';
import type { Handle, Machine } from '../../src/drivers/driver.ts';
import { programPath } from '../../src/host/programs.ts';
import { finish } from '../conformance/drivers.ts';
import { runCommand } from '../support/command.ts';
import { type CrunFixture, debianImage, NO_DEBIAN, openCrunFixture } from '../support/crun-fixture.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';
import { ATTEMPTS } from './attempts.ts';

const SECRET = 'a secret of the host';

describe('a root of a container that wants out', () => {
  let fixture: CrunFixture | undefined;
  let unfit: string | undefined;
  let guest: { readonly machine: Machine; readonly handle: Handle } | undefined;
  const outside = scratchDirectory('escape-host');
  const secret = join(outside.path, 'secret');
  const ON_HOST = { HOST: secret, HOSTPID: String(process.pid) };
  const listener = createServer((connection) => connection.destroy());

  before(async () => {
    const image = debianImage();
    if (process.getuid?.() !== 0) unfit = 'needs root';
    else if (process.arch !== 'x64') unfit = 'the numbers of system calls are those of x86-64';
    else if (image === undefined) unfit = NO_DEBIAN;
    else {
      writeFileSync(secret, SECRET, { mode: 0o644 });
      await new Promise<void>((resolve) => listener.listen('\0mullion-escape', resolve));
      fixture = openCrunFixture(image, 60_000);
      const machine = await fixture.machine();
      await fixture.driver.populate(machine);
      const { handle } = await fixture.driver.prepare(machine);
      await fixture.driver.start(machine, handle);
      guest = { machine, handle };
    }
  });
  after(async () => {
    if (guest !== undefined) await fixture?.driver.remove(guest.machine, undefined);
    await fixture?.close();
    listener.close();
    outside[Symbol.dispose]();
  });

  async function run(request: Partial<ExecRequest> & { argv: ExecRequest['argv'] }, input = '') {
    assert.ok(guest !== undefined);
    const session = await fixture?.driver.exec?.exec(guest.machine, guest.handle, {
      env: {},
      tty: false,
      ...request,
    });
    assert.ok(session !== undefined);
    return finish(session, input);
  }
  const sh = (script: string) => run({ argv: ['sh', '-c', script] });
  /** Skips where there is no guest. */
  const attempt = (name: string, body: () => Promise<void>): void => {
    it(name, async (t) => (guest === undefined ? t.skip(unfit) : body()));
  };

  for (const [group, attempts] of Object.entries(ATTEMPTS)) {
    describe(group, () => {
      for (const { name, argv, gets } of attempts) {
        attempt(`gets nothing by ${name}`, async () => {
          const { stdout, stderr } = await run({ argv: [...argv], env: ON_HOST });
          assert.match(stdout, gets, stderr);
          assert.ok(!stdout.includes(SECRET));
        });
      }
    });
  }

  attempt('would be seen to succeed where it does: on the host itself', async () => {
    const succeeding = ['a root of another process'];
    const control = Object.values(ATTEMPTS)
      .flat()
      .filter(({ name }) => succeeding.includes(name));
    const seen = await Promise.all(
      control.map(async ({ argv, gets }) => {
        const { stdout } = await runCommand([...argv], { env: { ...ON_HOST, PATH: process.env.PATH ?? '' } });
        return gets.test(stdout);
      }),
    );
    assert.deepEqual(seen, [false]);
  });

  describe('files that are pushed and pulled', () => {
    const files = () => {
      const ability = fixture?.driver.files;
      assert.ok(ability !== undefined && guest !== undefined);
      return { ability, ...guest };
    };
    attempt('reads no file of the host through a link', async () => {
      const { ability, machine, handle } = files();
      await sh(`ln -sfn ${secret} /link; ln -sfn ${outside.path} /folder; ln -sfn /proc/1/root/.. /up`);
      for (const path of [
        '/link',
        '/folder/secret',
        `/up${secret}`,
        `/../../../..${secret}`,
        `/proc/1/root${secret}`,
      ]) {
        await assert.rejects(ability.pull(machine, handle, path), { code: 'not_found' }, path);
      }
      await assert.rejects(ability.list(machine, handle, '/folder/'), { code: 'not_found' });
    });
    attempt('writes no file of the host through a link', async () => {
      const { ability, machine, handle } = files();
      for (const path of ['/link', '/folder/new', `/up${outside.path}/new`]) {
        await ability.push(machine, handle, path, Readable.from(['x']), 0o644).catch(() => undefined);
      }
      assert.deepEqual(readdirSync(outside.path), ['secret']);
      assert.equal(readFileSync(secret, 'utf8'), SECRET);
    });
    attempt('wins no race between a folder and a link', async () => {
      const { ability, machine, handle } = files();
      const flip = `mkdir -p /race/real; cd /race; while [ ! -e /race/stop ]; do ln -sfnT ${outside.path} d; rm -f d; mkdir d; rmdir d 2>/dev/null || rm -rf d; done`;
      const flipping = sh(flip);
      for (let round = 0; round < 12; round += 1) {
        await ability
          .push(machine, handle, '/race/d/new', Readable.from(['x']), 0o644)
          .catch(() => undefined);
        await ability.pull(machine, handle, '/race/d/secret').then(
          (content) => {
            content.on('error', () => undefined);
            content.destroy();
            assert.fail('it read the host’s file');
          },
          () => undefined,
        );
      }
      await sh('touch /race/stop');
      await flipping;
      assert.deepEqual(readdirSync(outside.path), ['secret']);
    });
    attempt('gives names with control characters as what they are', async () => {
      const { ability, machine, handle } = files();
      await sh('mkdir -p /names; touch "/names/$(printf \'a\\033[2Jb\')" "/names/$(printf \'c\\nd\')"');
      const names = (await ability.list(machine, handle, '/names')).map(({ name }) => name).toSorted();
      assert.deepEqual(names, ['a\x1b[2Jb', 'c\nd']);
    });
    attempt('holds nobody for ever by a file that never ends', async () => {
      const { ability, machine, handle } = files();
      const endless = await ability.pull(machine, handle, '/dev/zero');
      endless.on('error', () => undefined);
      await new Promise((resolve) => endless.once('data', resolve));
      endless.destroy();
      assert.equal((await sh('echo alive')).stdout, 'alive\n');
    });
  });

  describe('commands that are run in its tree', () => {
    const digest = (): string =>
      createHash('sha256')
        .update(readFileSync(programPath('crun') ?? ''))
        .digest('hex');
    attempt('changes no program of the host by a command that is /proc/self/exe', async () => {
      const former = digest();
      await sh('printf "#!/proc/self/exe\\n" > /evil; chmod 755 /evil');
      const watching = run({
        argv: [
          'perl',
          '-e',
          'my $end = time + 4; my $n = 0; while (time < $end) { for my $p (glob "/proc/[0-9]*/exe") { my $l = readlink $p or next; next unless $l =~ /crun/; $n++ if open(my $h, "+<", $p) } } print "opened $n"',
        ],
      });
      for (let round = 0; round < 8; round += 1) await run({ argv: ['/evil'] });
      assert.equal((await watching).stdout, 'opened 0');
      assert.equal(digest(), former);
    });
    attempt('begins in no folder of the host', async () => {
      for (const descriptor of [3, 4, 5, 6, 7, 8, 9, 10, 12]) {
        const cwd = `/proc/self/fd/${descriptor}`;
        const { stdout } = await run({
          argv: ['sh', '-c', `cat .${secret} ../..${secret} ../../../../..${secret} 2>/dev/null`],
          cwd,
        });
        assert.equal(stdout, '', cwd);
      }
      await sh('ln -sfn /proc/1/root/../.. /out');
      assert.equal((await run({ argv: ['cat', `.${secret}`], cwd: '/out' })).stdout, '');
    });
    attempt('loads no library of its own into programs of the host', async () => {
      await sh('printf "/nowhere.so\\n" > /etc/ld.so.preload');
      const { code, stdout } = await run({ argv: ['sh', '-c', 'echo still'] });
      await sh('rm /etc/ld.so.preload');
      assert.deepEqual([code, stdout], [0, 'still\n']);
    });
    attempt('has no descriptor of the host in its commands', async () => {
      const { stdout } = await run({ argv: ['sh', '-c', 'for f in /proc/self/fd/*; do readlink $f; done'] });
      assert.doesNotMatch(stdout, /^\/(?!proc|dev\/(null|pts))/m);
    });
    attempt('leaves no core of its own on the host', async () => {
      const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8');
      await sh(
        `cd /tmp; ulimit -c unlimited; echo '|/bin/sh' > /proc/sys/kernel/core_pattern; sh -c 'kill -SEGV $$'`,
      );
      assert.equal(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'), pattern);
      assert.deepEqual(readdirSync(outside.path), ['secret']);
    });
    attempt('owns no file of the host’s ids in its layer', async () => {
      assert.ok(guest !== undefined);
      await sh('touch /mine; chown 65535 /mine; chown 65536 /mine; chown 4294967294 /mine');
      const { uid } = lstatSync(join(guest.machine.volume, 'upper/mine'));
      assert.ok(uid < 65_536, String(uid));
    });
    attempt('is unreadable to a second container that knows its path', async () => {
      assert.ok(guest !== undefined && fixture !== undefined);
      const other = await fixture.machine();
      const { driver } = fixture;
      try {
        await driver.populate(other);
        const { handle } = await driver.prepare(other);
        await driver.start(other, handle);
        const path = join(guest.machine.volume, 'upper');
        const argv: ExecRequest['argv'] = [
          'sh',
          '-c',
          `ls ${path} ${guest.machine.runDirectory} 2>/dev/null; echo end`,
        ];
        const session = await driver.exec?.exec(other, handle, { argv, env: {}, tty: false });
        assert.ok(session !== undefined);
        assert.equal((await finish(session)).stdout, 'end\n');
      } finally {
        await driver.remove(other, undefined);
      }
    });
  });

  describe('what it shows', () => {
    attempt('reaches the log of its console as bytes, within its size', async () => {
      assert.ok(guest !== undefined);
      await sh("printf '\\033]0;title\\007\\033[2J\\033P+q\\033\\\\here\\n' > /dev/console");
      const log = join(guest.machine.logDirectory, 'console.log');
      await eventually(
        'it is in the log',
        () => existsSync(log) && readFileSync(log, 'utf8').includes('here'),
      );
    });
  });
});
