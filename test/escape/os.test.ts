import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { ExecRequest } from '../../src/contract/streams.ts';
import type { Handle, Machine } from '../../src/drivers/driver.ts';
import { programPath } from '../../src/host/programs.ts';
import { finish } from '../conformance/drivers.ts';
import { runCommand } from '../support/command.ts';
import { type CrunFixture, debianImage, NO_DEBIAN, openCrunFixture } from '../support/crun-fixture.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';
import { ATTEMPTS, write } from './attempts.ts';

const SECRET = 'a secret of the host';
/** PROC_PID_INIT_INO of linux/proc_ns.h. */
const FIRST_PID_NAMESPACE = `pid:[${0xeffffffc}]`;

describe('a root of a container that wants out', () => {
  let fixture: CrunFixture | undefined;
  let unfit: string | undefined;
  let guest: { readonly machine: Machine; readonly handle: Handle } | undefined;
  const outside = scratchDirectory('escape-host');
  const secret = join(outside.path, 'secret');
  /** A process of the host that may be traced and stopped. */
  let victim: ChildProcess | undefined;
  const onHost = () => ({ HOST: secret, HOSTPID: String(victim?.pid) });
  const listener = createServer((connection) => connection.destroy());

  before(async () => {
    const image = debianImage();
    if (process.getuid?.() !== 0) unfit = 'needs root';
    else if (process.arch !== 'x64') unfit = 'the numbers of system calls are those of x86-64';
    else if (image === undefined) unfit = NO_DEBIAN;
    else {
      writeFileSync(secret, SECRET, { mode: 0o644 });
      victim = spawn('sleep', ['infinity'], { stdio: 'ignore' });
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
    victim?.kill('SIGKILL');
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
  const attempt = (name: string, body: (t: TestContext) => Promise<void>): void => {
    it(name, async (t) => (guest === undefined ? t.skip(unfit) : body(t)));
  };

  for (const [group, attempts] of Object.entries(ATTEMPTS)) {
    describe(group, () => {
      for (const { name, argv, gets } of attempts) {
        attempt(`gets nothing by ${name}`, async () => {
          const { stdout, stderr } = await run({ argv: [...argv], env: onHost() });
          assert.match(stdout, gets, stderr);
          assert.ok(!stdout.includes(SECRET));
        });
      }
    });
  }

  describe('would be seen where it succeeds: on the host itself, by', () => {
    const controls = Object.values(ATTEMPTS)
      .flat()
      .filter(({ succeedsOnHost }) => succeedsOnHost);
    // What they make in /tmp is theirs alone.
    const apart =
      'mount -t tmpfs none /tmp && mkdir -p "$(dirname "$HOST")" && printf %s "$SECRET" > "$HOST" && exec "$@"';
    const env = () => ({ ...onHost(), SECRET, CONTROL: '1' });
    for (const { name, argv, gets } of controls) {
      attempt(name, async () => {
        const { stdout } = await runCommand(['unshare', '--mount', 'sh', '-c', apart, 'sh', ...argv], {
          env: env(),
        });
        assert.doesNotMatch(stdout, gets);
      });
    }
    attempt('writing', async () => {
      const { argv, gets } = write('', secret, SECRET, 'there');
      const { stdout } = await runCommand(argv, { env: env() });
      assert.doesNotMatch(stdout, gets);
    });
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
      const { code, stdout, stderr } = await run({ argv: ['sh', '-c', 'echo still'] });
      await sh('rm /etc/ld.so.preload');
      assert.deepEqual([code, stdout], [0, 'still\n']);
      // The loader of the VPS's own shell complains, and no other.
      assert.equal(stderr.match(/nowhere\.so/g)?.length, 1, stderr);
    });
    attempt('has no descriptor of the host in its commands', async () => {
      const { stdout } = await run({ argv: ['sh', '-c', 'for f in /proc/self/fd/*; do readlink $f; done'] });
      assert.match(stdout, /^(pipe|socket):/m);
      assert.doesNotMatch(stdout, /^\/(?!proc|dev\/(null|pts))/m);
    });
    attempt('runs no program of the host by a crash, whatever it makes of its limits', async (t) => {
      assert.ok(guest !== undefined);
      if (readlinkSync('/proc/self/ns/pid') !== FIRST_PID_NAMESPACE)
        return t.skip('the kernel looks for what core_pattern names in the root of another namespace');
      const helper = scratchDirectory('core-helper');
      const seen = join(helper.path, 'seen');
      const program = join(helper.path, 'helper');
      writeFileSync(seen, '');
      writeFileSync(program, `#!/bin/sh\necho "$1" >> ${seen}\nexec cat > /dev/null\n`, { mode: 0o755 });
      const pattern = '/proc/sys/kernel/core_pattern';
      const former = readFileSync(pattern, 'utf8');
      writeFileSync(pattern, `|${program} %u`);
      const users = (): string[] => readFileSync(seen, 'utf8').split('\n').filter(Boolean);
      /** The kernel runs it for a process of the host, whose limit is 0. */
      const crashOnHost = async (uid: number): Promise<void> => {
        const crash = 'ulimit -c 0; kill -SEGV $$';
        await runCommand(['setpriv', `--reuid=${uid}`, '--clear-groups', 'sh', '-c', crash]);
        await eventually(`the crash of ${uid} is seen`, () => users().includes(String(uid)));
      };
      try {
        await crashOnHost(0x7ef0_0001);
        for (const limit of ['true', 'ulimit -c 0', 'ulimit -Hc 0', 'ulimit -c unlimited']) {
          const { code } = await sh(`echo '|/bin/sh' > ${pattern}; ${limit}; exec sh -c 'kill -SEGV $$'`);
          assert.equal(code, 139, limit);
        }
        for (const call of [
          'syscall(160, 4, $zero)',
          'syscall(160, 4 + (1 << 32), $zero)',
          'syscall(302, 0, 4, $zero, 0)',
          'syscall(302, 0, 4 + (1 << 32), $zero, 0)',
        ]) {
          const { code, stderr } = await run({
            argv: ['perl', '-e', `my $zero = "\\0" x 16; ${call}; kill 'SEGV', $$; sleep 1`],
          });
          assert.equal(code, 139, `${call}: ${stderr}`);
        }
        const limits = (await run({ argv: ['cat', '/proc/self/limits'] })).stdout;
        assert.match(limits, /^Max core file size +1 +1 /m);
        await crashOnHost(0x7ef0_0002);
        assert.deepEqual(
          users().filter((uid) => Number(uid) >= (guest?.machine.ids.base ?? 0)),
          [],
        );
        assert.equal(readFileSync(pattern, 'utf8'), `|${program} %u\n`);
      } finally {
        writeFileSync(pattern, former);
        helper[Symbol.dispose]();
      }
    });
    attempt('owns no file of the host’s ids in its layer', async () => {
      assert.ok(guest !== undefined);
      await sh('touch /mine; chown 65535 /mine; chown 65536 /mine; chown 4294967294 /mine');
      const { uid } = lstatSync(join(guest.machine.volume, 'upper/mine'));
      assert.ok(uid < 65_536, String(uid));
    });
    attempt('is unreadable to the ids of a second container, should these come to its path', async () => {
      assert.ok(guest !== undefined && fixture !== undefined);
      const own = guest.machine.ids;
      const other = (await fixture.machine()).ids;
      assert.ok(own.base + own.count <= other.base || other.base + other.count <= own.base);
      await sh('echo mine > /srv/mine; chmod 644 /srv/mine');
      const file = join(guest.machine.volume, 'upper/srv/mine');
      const readAs = async (uid: number): Promise<string> =>
        (
          await runCommand([
            ...['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', 'cat', file],
          ])
        ).stdout;
      assert.equal(await readAs(0), 'mine\n');
      for (const base of [other.base, own.base]) assert.equal(await readAs(base), '');
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
