import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, truncateSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it, type TestContext } from 'node:test';
import { MullionError } from '../../src/contract/errors.ts';
import { NO_RATES } from '../../src/contract/rates.ts';
import type { Handle, Machine } from '../../src/drivers/driver.ts';
import { Cgroups } from '../../src/host/cgroups.ts';
import { type DriverFixture, finish, readAll } from '../conformance/drivers.ts';
import {
  assertNear,
  DISK_RATES,
  READ_RATE,
  ratesIn,
  WRITE_RATE,
  writeAndRead,
} from '../support/disk-rates.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { openQemuFixture } from '../support/qemu-fixture.ts';
import { eventually } from '../support/scratch.ts';
import { NO_IMAGE, smallGuest } from '../support/small-guest.ts';

/** How a TCP connection fails: a machine that is there refuses it. */
const connectionError = (host: string, port: number): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 10_000 });
    socket.on('connect', () => resolve('connected'));
    socket.on('timeout', () => resolve('no answer'));
    socket.on('error', (failure) => resolve('code' in failure ? String(failure.code) : failure.message));
    socket.on('close', () => socket.destroy());
  });

const MIB = 1024 ** 2;
interface Running {
  readonly machine: Machine;
  readonly handle: Handle;
}

if (enterPrivateNetns(import.meta.url)) {
  describe('a QEMU machine', () => {
    let on: DriverFixture | undefined;
    before(async () => {
      const image = await smallGuest();
      if (image !== undefined) on = openQemuFixture(image);
    });
    after(async () => {
      await on?.close();
    });

    const step = (title: string, body: (t: TestContext, on: DriverFixture) => Promise<void>): void => {
      it(title, { timeout: 120_000 }, async (t) => (on === undefined ? t.skip(NO_IMAGE) : body(t, on)));
    };
    const start = async (
      t: TestContext,
      fixture: DriverFixture,
      more: Partial<Machine> = {},
    ): Promise<Running> => {
      const machine = await fixture.machine(more);
      t.after(() => fixture.driver.remove(machine, undefined));
      await fixture.driver.populate(machine);
      const { handle } = await fixture.driver.prepare(machine);
      await fixture.driver.start(machine, handle);
      await ready(fixture, { machine, handle });
      return { machine, handle };
    };
    const ready = (fixture: DriverFixture, { machine, handle }: Running): Promise<void> =>
      eventually(
        'ready',
        async () => (await fixture.driver.health?.isReady(machine, handle)) === true,
        60_000,
      );
    const sh = async (
      fixture: DriverFixture,
      { machine, handle }: Running,
      script: string,
      ...args: string[]
    ) => {
      const request = { argv: ['sh', '-c', script, 'sh', ...args], env: {}, tty: false };
      const session = await fixture.driver.exec?.exec(machine, handle, request);
      assert.ok(session !== undefined);
      return finish(session);
    };

    step('runs with ids of its own, without capabilities, and sees nothing of the host', async (t, on) => {
      const { machine, handle } = await start(t, on);
      const status = readFileSync(`/proc/${handle.pid}/status`, 'utf8');
      assert.match(status, new RegExp(`^Uid:\\t${machine.ids.base}\\t${machine.ids.base}\\t`, 'm'));
      assert.match(status, new RegExp(`^Gid:\\t${machine.ids.base}\\t`, 'm'));
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
        assert.match(status, new RegExp(`^${set}:\\t0+$`, 'm'));
      }
      assert.match(status, /^NoNewPrivs:\t1$/m);
      assert.match(status, /^Seccomp:\t2$/m);
      for (const kind of ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup']) {
        assert.notEqual(
          readlinkSync(`/proc/${handle.pid}/ns/${kind}`),
          readlinkSync(`/proc/self/ns/${kind}`),
          kind,
        );
      }
      assert.deepEqual(readdirSync(`/proc/${handle.pid}/root`).sort(), [
        ...['dev', 'image', 'lib', 'lib64', 'proc', 'run', 'usr', 'volume'],
      ]);
      const links = readFileSync(`/proc/${handle.pid}/net/dev`, 'utf8').trim().split('\n').slice(2);
      assert.deepEqual(
        links.map((line) => line.trim().split(':')[0]),
        ['lo'],
      );
      const { mode, uid } = statSync(join(machine.runDirectory, 'sock'));
      assert.deepEqual([mode & 0o777, uid], [0o700, machine.ids.base]);
      const disk = statSync(join(machine.volume, 'disk.raw'));
      assert.deepEqual([disk.mode & 0o777, disk.uid, disk.gid], [0o600, 0, 0]);
    });

    step('ends a command whose runner was killed, and runs commands without Perl too', async (t, on) => {
      const machine = await start(t, on);
      const lost = await sh(on, machine, 'kill -9 $PPID; exec sleep 1000').catch((failure) => failure);
      assert.ok(lost instanceof MullionError && lost.code === 'guest_unresponsive', String(lost));
      await sh(on, machine, 'mv /usr/bin/perl /usr/bin/away; (sleep 1; kill -9 $PPID) & sleep 2').catch(
        () => 0,
      );
      const said = await sh(on, machine, 'readlink /proc/$PPID/exe; ls /usr/bin/perl; exit 3');
      assert.equal(said.stdout, '/usr/bin/dash\n');
      assert.equal(said.code, 3);
      assert.match(said.stderr, /No such file/);
    });

    step('reaches the network by its tap', async (t, on) => {
      const nic = {
        hostLink: 'mvtest-1',
        guestLink: 'eth0',
        mac: '52:54:00:12:34:56',
        addresses: [],
        nameservers: [],
        domain: 'test',
      };
      const running = await start(t, on, { nics: [nic] });
      execFileSync('ip', ['address', 'add', '10.99.0.1/24', 'dev', nic.hostLink]);
      execFileSync('ip', ['link', 'set', nic.hostLink, 'up']);
      const set = await sh(
        on,
        running,
        'ip link set eth0 up && ip address add 10.99.0.2/24 dev eth0 && ip link show eth0',
      );
      assert.match(set.stdout, /52:54:00:12:34:56/, set.stderr);
      assert.equal(await connectionError('10.99.0.2', 9), 'ECONNREFUSED');
      await on.driver.remove(running.machine, running.handle);
      assert.doesNotMatch(readFileSync('/proc/self/net/dev', 'utf8'), /mvtest-1/);
    });

    step('changes processors, processes and disk while it runs, and keeps time', async (t, on) => {
      const running = await start(t, on);
      const { machine, handle } = running;
      const time = async () => {
        const from = performance.now();
        const { stdout } = await sh(on, running, "cut -d' ' -f1 /proc/uptime");
        return { guest: Number(stdout), from: from / 1000, to: performance.now() / 1000 };
      };
      const first = await time();
      const size = async () => Number((await sh(on, running, 'df -B1 --output=size / | tail -1')).stdout);
      assert.equal((await sh(on, running, 'nproc')).stdout, '1\n');
      const before = await size();
      const limits = { ...machine.limits, cpus: 1.5, pids: 64, disk: machine.limits.disk + 512 * MIB };
      await on.driver.limits?.setLimits(machine, handle, limits);
      assert.equal((await sh(on, running, 'nproc')).stdout, '2\n');
      const grown = (await size()) - before;
      assert.ok(grown > 400 * MIB, `grown by ${grown}`);
      assert.equal(statSync(join(machine.volume, 'disk.raw')).size, limits.disk);
      await on.driver.limits?.setLimits(machine, handle, limits);
      assert.equal((await sh(on, running, 'nproc')).stdout, '2\n');
      const last = await time();
      const passed = last.guest - first.guest;
      const least = 0.99 * (last.from - first.to);
      const most = 1.01 * (last.to - first.from) + 0.02;
      assert.ok(passed > least && passed < most, `${least} < ${passed} < ${most} seconds`);
    });

    step('holds its disk to its rates from the start, and to others while it runs', async (t, on) => {
      const running = await start(t, on, {
        limits: { cpus: 1, memory: 256 * MIB, disk: 1024 * MIB, pids: 100, ...NO_RATES, ...DISK_RATES },
      });
      const { machine, handle } = running;
      const first = ratesIn((await sh(on, running, writeAndRead(4))).stdout);
      assertNear(first.write, WRITE_RATE, 'writes');
      assertNear(first.read, READ_RATE, 'reads');
      await on.driver.diskRates?.setDiskRates(machine, handle, {
        ...DISK_RATES,
        diskReadRate: READ_RATE / 2,
      });
      assertNear(ratesIn((await sh(on, running, writeAndRead(4))).stdout).read, READ_RATE / 2, 'reads');
      await on.driver.diskRates?.setDiskRates(machine, handle, NO_RATES);
      const free = ratesIn((await sh(on, running, writeAndRead(4))).stdout);
      assert.ok(free.write > 1.5 * WRITE_RATE && free.read > 1.5 * READ_RATE, JSON.stringify(free));
    });

    step('stops a guest that forks without end, and gets it back', async (t, on) => {
      const running = await start(t, on, {
        limits: { cpus: 1, memory: 256 * MIB, disk: 1024 * MIB, pids: 100, ...NO_RATES },
      });
      const bomb = 'n=0; while [ $n -lt 400 ]; do sleep 30 & n=$((n+1)); done 2>/tmp/e; echo $n';
      const result = await sh(on, running, `( ${bomb} ) ; ls -d /proc/[0-9]* | wc -l; cat /tmp/e | tail -1`);
      assert.match(result.stdout + result.stderr, /[Cc]annot fork|Resource temporarily unavailable/);
      assert.equal(await on.driver.health?.isReady(running.machine, running.handle), true);
    });

    step('keeps a guest that fills its memory inside its limit, and alive', async (t, on) => {
      const running = await start(t, on);
      const result = await sh(on, running, 'head -c 400M /dev/zero | tail -c 399M >/dev/null; echo $?');
      assert.notEqual(result.code, undefined);
      assert.equal(await on.driver.recover(running.machine, running.handle), 'running');
      await ready(on, running);
      const { memory } = await on.driver.usage(running.machine, running.handle);
      assert.ok(memory > 100 * MIB && memory < 256 * MIB + 224 * MIB, `${memory}`);
    });

    step('tells a guest whose disk is full so, and goes on', async (t, on) => {
      const running = await start(t, on);
      const filled = await sh(on, running, 'head -c 2G /dev/zero >/full; echo $?; rm /full');
      assert.match(filled.stderr, /No space left/);
      const files = on.driver.files;
      assert.ok(files !== undefined);
      await sh(on, running, 'fallocate -l 900M /full || head -c 900M /dev/zero >/full');
      const push = files.push(
        running.machine,
        running.handle,
        '/root/big',
        Readable.from([Buffer.alloc(40 * MIB)]),
        0o600,
      );
      await assert.rejects(push);
      assert.equal((await sh(on, running, 'ls -A /root | grep -c mullion; rm /full')).stdout, '0\n');
    });

    step('comes back after a reboot of its own, with its connections', async (t, on) => {
      const running = await start(t, on);
      const boot = async () => (await sh(on, running, 'cat /proc/sys/kernel/random/boot_id')).stdout;
      const first = await boot();
      const rebooting = sh(on, running, 'sync; echo b >/proc/sysrq-trigger').catch(() => undefined);
      await eventually(
        'it is away',
        async () => !(await on.driver.health?.isReady(running.machine, running.handle)),
        30_000,
      );
      await ready(on, running);
      assert.notEqual(await boot(), first);
      await rebooting;
      assert.equal(await on.driver.recover(running.machine, running.handle), 'running');
    });

    step(
      'says at once that a guest without its agent is not ready, and fails its commands in time',
      async (t, on) => {
        const running = await start(t, on);
        void sh(
          on,
          running,
          'mv /usr/sbin/qemu-ga /usr/sbin/gone; pkill -9 qemu-ga || kill -9 $(pidof qemu-ga)',
        ).catch(() => undefined);
        await eventually(
          'it is away',
          async () => !(await on.driver.health?.isReady(running.machine, running.handle)),
          30_000,
        );
        const asked = performance.now();
        assert.equal(await on.driver.health?.isReady(running.machine, running.handle), false);
        assert.ok(performance.now() - asked < 5_000);
        assert.equal((await on.driver.usage(running.machine, running.handle)).processes, undefined);
        assert.equal(await on.driver.shutdown(running.machine, running.handle, 3_000), false);
        await on.driver.remove(running.machine, running.handle);
      },
    );

    step('bounds the log of a guest that floods its console', async (t, on) => {
      const running = await start(t, on);
      t.after(on.driver.onExit(running.machine, running.handle, () => undefined));
      await sh(on, running, 'head -c 6M /dev/zero | tr "\\0" x >/dev/console; echo the-end >/dev/console');
      await eventually(
        'the log is cut, though nobody asks for anything',
        () => statSync(join(running.machine.logDirectory, 'console.log')).size < 4 * MIB,
      );
      const signal = new AbortController().signal;
      const log = await on.driver.logs?.readLogs(running.machine, { follow: false, lines: 3, signal });
      assert.ok(log !== undefined);
      assert.match((await readAll(log)).toString(), /the-end/);
    });

    step(
      'keeps nothing of memory that was being saved when QEMU was killed; then it boots',
      async (t, on) => {
        const { machine, handle } = await start(t, on);
        const { memory } = on.driver;
        assert.ok(memory !== undefined);
        const left = (): string[] => readdirSync(machine.volume).filter((name) => name.startsWith('memory'));
        const saving = memory.save(machine, handle);
        await eventually('it is being written', () => left().includes('memory.new'));
        process.kill(handle.pid, 'SIGKILL');
        await assert.rejects(saving);
        assert.deepEqual(left(), []);
        await on.driver.remove(machine, handle);
        const again = await on.driver.prepare(machine);
        await on.driver.start(machine, again.handle);
        await ready(on, { machine, handle: again.handle });
      },
    );

    step('goes on with a processor that was plugged in, while a command is under way', async (t, on) => {
      const { machine, handle } = await start(t, on);
      const { memory, limits } = on.driver;
      assert.ok(memory !== undefined && limits !== undefined);
      const larger = { ...machine, limits: { ...machine.limits, cpus: 2 } };
      await limits.setLimits(machine, handle, larger.limits);
      const argv = ['sh', '-c', 'echo began; sleep 300'];
      const session = await on.driver.exec?.exec(machine, handle, { argv, env: {}, tty: false });
      assert.ok(session !== undefined);
      session.exit.catch(() => undefined);
      session.stdin.on('error', () => undefined);
      await new Promise((began) => session.stdout.once('data', began));
      await memory.save(larger, handle);
      await on.driver.remove(larger, handle);
      const again = { machine: larger, handle: (await on.driver.prepare(larger)).handle };
      await on.driver.start(larger, again.handle);
      await ready(on, again);
      assert.equal((await sh(on, again, 'nproc; pgrep -c -x sleep')).stdout, '2\n1\n');
    });

    step('boots from its data when the saved memory is damaged', async (t, on) => {
      const { machine, handle } = await start(t, on);
      const { memory } = on.driver;
      assert.ok(memory !== undefined);
      await memory.save(machine, handle);
      await on.driver.remove(machine, handle);
      const path = join(machine.volume, 'memory');
      assert.equal(statSync(path).mode & 0o777, 0o600);
      truncateSync(path, Math.floor(statSync(path).size / 2));
      const broken = await on.driver.prepare(machine);
      await assert.rejects(on.driver.start(machine, broken.handle), /memory could not be restored/);
      assert.equal(await memory.saved(machine), undefined);
      const booted = await on.driver.prepare(machine);
      await on.driver.start(machine, booted.handle);
      await ready(on, { machine, handle: booted.handle });
    });

    step('leaves no process, cgroup or socket behind', async (t, on) => {
      const running = await start(t, on);
      await on.driver.remove(running.machine, running.handle);
      const cgroups = new Cgroups();
      assert.deepEqual(cgroups.processes(running.machine.cgroup), []);
      assert.ok(!cgroups.list(running.machine.cgroup.split('/')[0] ?? '').includes(running.machine.id));
      assert.ok(!existsSync(running.machine.runDirectory));
    });
  });
}
