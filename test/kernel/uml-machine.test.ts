import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { NO_RATES } from '../../src/contract/rates.ts';
import type { Handle, Machine } from '../../src/drivers/driver.ts';
import { Cgroups } from '../../src/host/cgroups.ts';
import { type DriverFixture, finish, readAll } from '../conformance/drivers.ts';
import { ratesIn, writeAndRead } from '../support/disk-rates.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { NO_IMAGE, smallGuest } from '../support/small-guest.ts';
import { openUmlFixture, umlUnfit } from '../support/uml-fixture.ts';

const MIB = 1024 ** 2;
interface Running {
  readonly machine: Machine;
  readonly handle: Handle;
}

/** What connecting to a port that nobody listens on says, when the guest answers at all. */
const connectionError = (host: string, port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 10_000 });
    socket.on('connect', () => resolve('connected'));
    socket.on('timeout', () => resolve('timeout'));
    socket.on('error', (failure) => resolve('code' in failure ? String(failure.code) : failure.message));
    socket.on('close', () => socket.destroy());
  });

if (enterPrivateNetns(import.meta.url)) {
  describe('a machine of User-Mode Linux', () => {
    let on: DriverFixture | undefined;
    let unfit: string | undefined;
    before(async () => {
      const image = await smallGuest();
      unfit = (await umlUnfit()) ?? (image === undefined ? NO_IMAGE : undefined);
      if (image !== undefined && unfit === undefined) on = openUmlFixture(image);
    });
    after(async () => {
      await on?.close();
    });

    const step = (title: string, body: (t: TestContext, on: DriverFixture) => Promise<void>): void => {
      it(title, { timeout: 180_000 }, async (t) => (on === undefined ? t.skip(unfit) : body(t, on)));
    };
    const ready = (fixture: DriverFixture, { machine, handle }: Running): Promise<void> =>
      eventually(
        'ready',
        async () => (await fixture.driver.health?.isReady(machine, handle)) === true,
        90_000,
      );
    const start = async (t: TestContext, fixture: DriverFixture, more: Partial<Machine> = {}) => {
      const machine = await fixture.machine(more);
      t.after(() => fixture.driver.remove(machine, undefined));
      await fixture.driver.populate(machine);
      const { handle } = await fixture.driver.prepare(machine);
      await fixture.driver.start(machine, handle);
      await ready(fixture, { machine, handle });
      return { machine, handle };
    };
    const sh = async (fixture: DriverFixture, { machine, handle }: Running, script: string) => {
      const request = { argv: ['sh', '-c', script], env: {}, tty: false };
      const session = await fixture.driver.exec?.exec(machine, handle, request);
      assert.ok(session !== undefined);
      return finish(session);
    };

    step('runs with ids of its own, without capabilities, and sees nothing of the host', async (t, on) => {
      const running = await start(t, on);
      const { machine, handle } = running;
      const pids = new Cgroups().processes(machine.cgroup);
      assert.ok(pids.length > 1, 'the guest’s programs are in the cgroup too');
      for (const pid of pids) {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        assert.match(status, new RegExp(`^Uid:\\t${machine.ids.base}\\t${machine.ids.base}\\t`, 'm'));
        for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
          assert.match(status, new RegExp(`^${set}:\\t0+$`, 'm'));
        }
        assert.match(status, /^NoNewPrivs:\t1$/m);
        assert.match(status, /^Seccomp:\t2$/m);
        for (const kind of ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup']) {
          assert.notEqual(
            readlinkSync(`/proc/${pid}/ns/${kind}`),
            readlinkSync(`/proc/self/ns/${kind}`),
            kind,
          );
        }
      }
      const links = readFileSync(`/proc/${handle.pid}/net/dev`, 'utf8').trim().split('\n').slice(2);
      assert.deepEqual(
        links.map((line) => line.trim().split(':')[0]),
        ['lo'],
      );
      const disk = statSync(join(machine.volume, 'disk.raw'));
      assert.deepEqual([disk.mode & 0o777, disk.uid, disk.gid], [0o600, 0, 0]);
      // Root in the guest may ask its kernel for files of the host: those of the jail are all there is.
      const seen = await sh(on, running, 'mkdir -p /h && mount -t hostfs none /h -o /../.. && ls /h');
      assert.doesNotMatch(seen.stdout, /root|home|boot|srv/);
      assert.match(seen.stdout, /^volume$/m);
      assert.equal((await sh(on, running, 'ls /h/proc /h/srv /h/root 2>/dev/null | grep -v :')).stdout, '');
    });

    step('reaches the network by its tap, and gives it up', async (t, on) => {
      const nic = {
        hostLink: 'mvtest-u1',
        guestLink: 'eth0',
        mac: '52:54:00:12:34:57',
        addresses: [],
        nameservers: [],
        domain: 'test',
      };
      const running = await start(t, on, { nics: [nic] });
      execFileSync('ip', ['address', 'add', '10.99.1.1/24', 'dev', nic.hostLink]);
      execFileSync('ip', ['link', 'set', nic.hostLink, 'up']);
      const set = await sh(
        on,
        running,
        'l=$(ls /sys/class/net | grep -v lo); ip link set $l up; ip addr add 10.99.1.2/24 dev $l; ip link',
      );
      assert.match(set.stdout, /52:54:00:12:34:57/, set.stderr);
      assert.equal(await connectionError('10.99.1.2', 9), 'ECONNREFUSED');
      await on.driver.remove(running.machine, running.handle);
      assert.doesNotMatch(readFileSync('/proc/self/net/dev', 'utf8'), /mvtest-u1/);
    });

    step(
      'holds its disk to its rates, what it leaves to the page cache of the host included',
      async (t, on) => {
        const limits = {
          cpus: 1,
          memory: 256 * MIB,
          disk: 1024 * MIB,
          pids: 100,
          ...NO_RATES,
          diskWriteRate: 256 * 1024,
        };
        const running = await start(t, on, { limits });
        const { write } = ratesIn((await sh(on, running, writeAndRead(1))).stdout);
        assert.ok(write < 1.25 * 256 * 1024, `${write} bytes a second`);
        await on.driver.diskRates?.setDiskRates(running.machine, running.handle, NO_RATES);
        const free = ratesIn((await sh(on, running, writeAndRead(1))).stdout);
        assert.ok(free.write > 1.5 * write, `without a limit ${free.write} bytes a second, with it ${write}`);
      },
    );

    step('stops a guest that forks without end, and gets it back', async (t, on) => {
      const limits = { cpus: 1, memory: 256 * MIB, disk: 1024 * MIB, pids: 100, ...NO_RATES };
      const running = await start(t, on, { limits });
      const bomb = 'n=0; while [ $n -lt 400 ]; do sleep 20 & n=$((n+1)); done 2>/tmp/e; echo $n';
      const result = await sh(on, running, `( ${bomb} ) ; tail -n 1 /tmp/e`);
      assert.match(result.stdout + result.stderr, /[Cc]annot fork|Resource temporarily unavailable/);
      await ready(on, running);
    });

    step('keeps a guest that fills its memory inside its limit, and alive', async (t, on) => {
      const running = await start(t, on);
      await sh(on, running, 'head -c 400M /dev/zero | tail -c 399M >/dev/null; echo $?');
      assert.equal(await on.driver.recover(running.machine, running.handle), 'running');
      await ready(on, running);
      const { memory } = await on.driver.usage(running.machine, running.handle);
      assert.ok(memory > 50 * MIB && memory < 256 * MIB * 1.125 + 96 * MIB, `${memory}`);
    });

    step('carries on when its daemon is gone in the midst of commands, and takes new ones', async (t, on) => {
      const running = await start(t, on);
      const { machine, handle } = running;
      const flood = await on.driver.exec?.exec(machine, handle, {
        argv: ['sh', '-c', 'while :; do echo flood; done'],
        env: {},
        tty: false,
      });
      flood?.exit.catch(() => undefined);
      await new Promise((resolve) => flood?.stdout.once('data', resolve));
      const later = on.reopen();
      flood?.stdout.resume();
      assert.equal(await later.recover(machine, handle), 'running');
      await eventually('ready', async () => (await later.health?.isReady(machine, handle)) === true, 60_000);
      for (let round = 0; round < 14; round += 1) {
        const session = await later.exec?.exec(machine, handle, {
          argv: ['cat'],
          env: {},
          tty: false,
        });
        assert.ok(session !== undefined);
        assert.deepEqual(await finish(session, 'again'), { code: 0, stdout: 'again', stderr: '' });
      }
    });

    step('finds a guest that stands still, and lets it go on', async (t, on) => {
      const { machine, handle } = await start(t, on);
      await on.driver.pause?.pause(machine, handle);
      const later = on.reopen();
      assert.equal(await later.recover(machine, handle), 'paused');
      assert.equal(await later.health?.isReady(machine, handle), false);
      await later.pause?.resume(machine, handle);
      await eventually('ready', async () => (await later.health?.isReady(machine, handle)) === true, 60_000);
    });

    step('tells of a kernel that panicked', async (t, on) => {
      const running = await start(t, on);
      let told = '';
      on.driver.onExit(running.machine, running.handle, ({ kind, reason }) => {
        told = `${kind}: ${reason}`;
      });
      void sh(on, running, 'echo c >/proc/sysrq-trigger').catch(() => undefined);
      await eventually('it has ended', () => told !== '', 30_000);
      assert.match(told, /^died: .*panicked/);
    });

    step('leaves no process, cgroup, pipe or socket behind when it is killed', async (t, on) => {
      const { machine, handle } = await start(t, on);
      process.kill(handle.pid, 'SIGKILL');
      await eventually('its programs have ended', () => new Cgroups().processes(machine.cgroup).length === 0);
      await on.driver.remove(machine, handle);
      const [parent = ''] = machine.cgroup.split('/');
      assert.ok(!new Cgroups().list(parent).includes(machine.id));
      assert.ok(!existsSync(machine.runDirectory));
      const signal = new AbortController().signal;
      const log = await on.driver.logs?.readLogs(machine, { follow: false, lines: 5, signal });
      assert.ok(log !== undefined);
      await readAll(log);
    });
  });
}
