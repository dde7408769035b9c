import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { MullionError } from '../../src/contract/errors.ts';
import { NO_RATES } from '../../src/contract/rates.ts';
import { LOG_LIMIT } from '../../src/drivers/console/console-log.ts';
import { Cgroups } from '../../src/host/cgroups.ts';
import { readAll } from '../conformance/drivers.ts';
import { assertNear, READ_RATE, ratesIn, WRITE_RATE, writeAndRead } from '../support/disk-rates.ts';
import { assertKeptApart, assertReachesItsOwn } from '../support/kept-apart.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { openSmallQemu } from '../support/small-guest.ts';
import { connectionError, describeGuest, FORK_BOMB, nicCalled } from '../support/standing-guest.ts';

const MIB = 1024 ** 2;
const LINK = 'mvtest-1';

const stand = {
  open: openSmallQemu,
  machine: {
    nics: [nicCalled(LINK, '52:54:00:12:34:56')],
    limits: {
      cpus: 1,
      memory: 256 * MIB,
      disk: 800 * MIB,
      pids: 100,
      ...NO_RATES,
      diskWriteRate: WRITE_RATE,
    },
  },
};

if (enterPrivateNetns(import.meta.url)) {
  describeGuest('a QEMU machine', stand, (step) => {
    step('runs with ids of its own, without capabilities, and sees nothing of the host', async (guest) => {
      const { machine, handle } = guest;
      assertKeptApart(machine, handle.pid);
      assertReachesItsOwn(machine, handle.pid);
      assert.deepEqual(readdirSync(`/proc/${handle.pid}/root`).sort(), [
        ...['dev', 'image', 'lib', 'lib64', 'proc', 'run', 'usr', 'volume'],
      ]);
      const { mode, uid } = statSync(join(machine.runDirectory, 'sock'));
      assert.deepEqual([mode & 0o777, uid], [0o700, machine.ids.base]);
    });

    step('reaches the network by its tap', async (guest) => {
      execFileSync('ip', ['address', 'add', '10.99.0.1/24', 'dev', LINK]);
      execFileSync('ip', ['link', 'set', LINK, 'up']);
      const set = await guest.sh(
        'ip link set eth0 up && ip address add 10.99.0.2/24 dev eth0 && ip link show eth0',
      );
      assert.match(set.stdout, /52:54:00:12:34:56/, set.stderr);
      assert.equal(await connectionError('10.99.0.2', 9), 'ECONNREFUSED');
    });

    step('holds its disk to its rates from the start, and to others while it runs', async (guest) => {
      const { driver, machine, handle } = guest;
      const measured = async () => ratesIn((await guest.sh(writeAndRead(2))).stdout);
      assertNear((await measured()).write, WRITE_RATE, 'writes');
      await driver.diskRates?.setDiskRates(machine, handle, { ...NO_RATES, diskReadRate: READ_RATE });
      assertNear((await measured()).read, READ_RATE, 'reads');
      await driver.diskRates?.setDiskRates(machine, handle, NO_RATES);
      const free = await measured();
      assert.ok(free.write > 1.5 * WRITE_RATE && free.read > 1.5 * READ_RATE, JSON.stringify(free));
      guest.machine = { ...machine, limits: { ...machine.limits, ...NO_RATES } };
    });

    step('tells a guest whose disk is full so, and goes on', async (guest) => {
      const { driver, machine, handle } = guest;
      const filled = await guest.sh('head -c 900M /dev/zero >/full; echo $?');
      assert.match(filled.stderr, /No space left/);
      const { files } = driver;
      assert.ok(files !== undefined);
      const content = Readable.from([Buffer.alloc(40 * MIB)]);
      await assert.rejects(files.push(machine, handle, '/root/big', content, 0o600));
      assert.equal((await guest.sh('ls -A /root | grep -c mullion; rm /full')).stdout, '0\n');
    });

    step('stops a guest that forks without end, and gets it back', async (guest) => {
      const result = await guest.sh(FORK_BOMB);
      assert.match(result.stdout + result.stderr, /[Cc]annot fork|Resource temporarily unavailable/);
      assert.equal(await guest.isReady(), true);
      const isBack = async () => (await guest.sh('ls / | wc -l').catch(() => undefined))?.code === 0;
      await eventually('it runs two programs at once again', isBack, 30_000);
    });

    step('keeps a guest that fills its memory inside its limit, and alive', async (guest) => {
      const filled = await guest.sh(
        'perl -e \'my @all; push @all, "$_" x (4 << 20) for 1 .. 99\' 2>&1; echo $?',
      );
      assert.notEqual(filled.stdout, '0\n');
      assert.equal(await guest.driver.recover(guest.machine, guest.handle), 'running');
      await guest.ready();
      const { memory } = await guest.driver.usage(guest.machine, guest.handle);
      assert.ok(memory > 100 * MIB && memory < 256 * MIB + 288 * MIB, `${memory}`);
    });

    step('bounds the log of a guest that floods its console', async (guest, t) => {
      const { driver, machine, handle } = guest;
      t.after(driver.onExit(machine, handle, () => undefined));
      // What it wrote before: a serial line of an emulated machine is slow.
      appendFileSync(join(machine.logDirectory, 'console.log'), Buffer.alloc(LOG_LIMIT - MIB, 'x'));
      await guest.sh('head -c 1200K /dev/zero | tr "\\0" x >/dev/console; echo the-end >/dev/console');
      await eventually(
        'the log is cut, though nobody asks for anything',
        () => statSync(join(machine.logDirectory, 'console.log')).size < LOG_LIMIT / 2,
      );
      const signal = new AbortController().signal;
      await eventually('the log has the end of it', async () => {
        const log = await driver.logs?.readLogs(machine, { follow: false, lines: 3, signal });
        return log !== undefined && (await readAll(log)).toString().includes('the-end');
      });
    });

    step('changes processors, processes and disk while it runs, and keeps time', async (guest) => {
      const { driver, machine, handle } = guest;
      const time = async () => {
        const from = performance.now();
        const { stdout } = await guest.sh("cut -d' ' -f1 /proc/uptime");
        return { guest: Number(stdout), from: from / 1000, to: performance.now() / 1000 };
      };
      const first = await time();
      const size = async () => Number((await guest.sh('df -B1 --output=size / | tail -1')).stdout);
      assert.equal((await guest.sh('nproc')).stdout, '1\n');
      const before = await size();
      const limits = { ...machine.limits, cpus: 1.5, pids: 64, disk: machine.limits.disk + 512 * MIB };
      await driver.limits?.setLimits(machine, handle, limits);
      assert.equal((await guest.sh('nproc')).stdout, '2\n');
      const grown = (await size()) - before;
      assert.ok(grown > 400 * MIB, `grown by ${grown}`);
      assert.equal(statSync(join(machine.volume, 'disk.raw')).size, limits.disk);
      await driver.limits?.setLimits(machine, handle, limits);
      assert.equal((await guest.sh('nproc')).stdout, '2\n');
      guest.machine = { ...machine, limits };
      const last = await time();
      const passed = last.guest - first.guest;
      const least = 0.99 * (last.from - first.to);
      const most = 1.01 * (last.to - first.from) + 0.02;
      assert.ok(passed > least && passed < most, `${least} < ${passed} < ${most} seconds`);
    });

    step('goes on with a processor that was plugged in, while a command is under way', async (guest) => {
      const { memory } = guest.driver;
      assert.ok(memory !== undefined);
      const session = await guest.exec('echo began; sleep 300');
      session.exit.catch(() => undefined);
      session.stdin.on('error', () => undefined);
      await new Promise((began) => session.stdout.once('data', began));
      await memory.save(guest.machine, guest.handle);
      await guest.remove();
      await guest.startAgain();
      assert.equal((await guest.sh('nproc; pgrep -c -x sleep; pkill -x sleep')).stdout, '2\n1\n');
    });

    step('ends a command whose runner was killed, and runs commands without Perl too', async (guest) => {
      const lost = await guest.sh('kill -9 $PPID; exec sleep 1000').catch((failure) => failure);
      assert.ok(lost instanceof MullionError && lost.code === 'guest_unresponsive', String(lost));
      await guest.sh('mv /usr/bin/perl /usr/bin/away; (sleep 1; kill -9 $PPID) & sleep 2').catch(() => 0);
      const said = await guest.sh('readlink /proc/$PPID/exe; ls /usr/bin/perl; exit 3');
      assert.equal(said.stdout, '/usr/bin/dash\n');
      assert.equal(said.code, 3);
      assert.match(said.stderr, /No such file/);
      await guest.sh('mv /usr/bin/away /usr/bin/perl');
    });

    step(
      'keeps nothing of memory that was being saved when QEMU was killed; then it boots',
      async (guest) => {
        const { machine, handle } = guest;
        const { memory } = guest.driver;
        assert.ok(memory !== undefined);
        const left = (): string[] => readdirSync(machine.volume).filter((name) => name.startsWith('memory'));
        const saving = memory.save(machine, handle);
        await eventually('it is being written', () => left().includes('memory.new'));
        process.kill(handle.pid, 'SIGKILL');
        await assert.rejects(saving);
        assert.deepEqual(left(), []);
        await guest.remove();
        await guest.startAgain();
      },
    );

    step('boots from its data when the saved memory is damaged', async (guest) => {
      const { driver, machine } = guest;
      const { memory } = driver;
      assert.ok(memory !== undefined);
      await memory.save(machine, guest.handle);
      await guest.remove();
      const path = join(machine.volume, 'memory');
      assert.equal(statSync(path).mode & 0o777, 0o600);
      truncateSync(path, Math.floor(statSync(path).size / 2));
      const broken = await driver.prepare(machine);
      await assert.rejects(driver.start(machine, broken.handle), /memory could not be restored/);
      assert.equal(await memory.saved(machine), undefined);
      await guest.startAgain();
    });

    step('comes back after a reboot of its own, with its connections', async (guest) => {
      const boot = async () => (await guest.sh('cat /proc/sys/kernel/random/boot_id')).stdout;
      const first = await boot();
      const rebooting = guest.sh('sync; echo b >/proc/sysrq-trigger').catch(() => undefined);
      await eventually('it is away', async () => !(await guest.isReady()), 30_000);
      await guest.ready();
      assert.notEqual(await boot(), first);
      await rebooting;
      assert.equal(await guest.driver.recover(guest.machine, guest.handle), 'running');
    });

    step(
      'says at once that a guest without its agent is not ready, and fails its commands',
      async (guest) => {
        const { driver, machine, handle } = guest;
        const silence = 'mv /usr/sbin/qemu-ga /usr/sbin/gone; pkill -9 qemu-ga || kill -9 $(pidof qemu-ga)';
        void guest.sh(silence).catch(() => undefined);
        await eventually('it is away', async () => !(await guest.isReady()), 30_000);
        const asked = performance.now();
        assert.equal(await guest.isReady(), false);
        assert.ok(performance.now() - asked < 5_000);
        assert.equal((await driver.usage(machine, handle)).processes, undefined);
        assert.equal(await driver.shutdown(machine, handle, 3_000), false);
      },
    );

    step('leaves no process, cgroup, link or socket behind', async (guest) => {
      const { machine } = guest;
      await guest.remove();
      const cgroups = new Cgroups();
      assert.deepEqual(cgroups.processes(machine.cgroup), []);
      assert.ok(!cgroups.list(machine.cgroup.split('/')[0] ?? '').includes(machine.id));
      assert.ok(!existsSync(machine.runDirectory));
      assert.ok(!readFileSync('/proc/self/net/dev', 'utf8').includes(LINK));
    });
  });
}
