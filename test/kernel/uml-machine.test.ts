import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { NO_RATES } from '../../src/contract/rates.ts';
import { Cgroups } from '../../src/host/cgroups.ts';
import { finish, readAll } from '../conformance/drivers.ts';
import { ratesIn, writeAndRead } from '../support/disk-rates.ts';
import { assertKeptApart, assertReachesItsOwn } from '../support/kept-apart.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { connectionError, describeGuest, FORK_BOMB, nicCalled } from '../support/standing-guest.ts';
import { openSmallUml } from '../support/uml-fixture.ts';

const MIB = 1024 ** 2;
const LINK = 'mvtest-u1';
const WRITE_RATE = 256 * 1024;

const stand = {
  open: openSmallUml,
  machine: {
    nics: [nicCalled(LINK, '52:54:00:12:34:57')],
    limits: {
      cpus: 1,
      memory: 128 * MIB,
      disk: 1024 * MIB,
      pids: 100,
      ...NO_RATES,
      diskWriteRate: WRITE_RATE,
    },
  },
};

if (enterPrivateNetns(import.meta.url)) {
  describeGuest('a machine of User-Mode Linux', stand, (step) => {
    step('runs with ids of its own, without capabilities, and sees nothing of the host', async (guest) => {
      const { machine, handle } = guest;
      const pids = new Cgroups().processes(machine.cgroup);
      assert.ok(pids.length > 1, 'the guest’s programs are in the cgroup too');
      for (const pid of pids) assertKeptApart(machine, pid);
      assertReachesItsOwn(machine, handle.pid);
      // Root in the guest may ask its kernel for files of the host: those of the jail are all there is.
      const seen = await guest.sh('mkdir -p /h && mount -t hostfs none /h -o /../.. && ls /h');
      assert.doesNotMatch(seen.stdout, /root|home|boot|srv/);
      assert.match(seen.stdout, /^volume$/m);
      const more = await guest.sh('ls /h/proc /h/srv /h/root 2>/dev/null | grep -v :; umount /h');
      assert.equal(more.stdout, '');
    });

    step('reaches the network by its tap', async (guest) => {
      execFileSync('ip', ['address', 'add', '10.99.1.1/24', 'dev', LINK]);
      execFileSync('ip', ['link', 'set', LINK, 'up']);
      const set = await guest.sh(
        'l=$(ls /sys/class/net | grep -v lo); ip link set $l up; ip addr add 10.99.1.2/24 dev $l; ip link',
      );
      assert.match(set.stdout, /52:54:00:12:34:57/, set.stderr);
      assert.equal(await connectionError('10.99.1.2', 9), 'ECONNREFUSED');
    });

    step(
      'holds its disk to its rates, what it leaves to the page cache of the host included',
      async (guest) => {
        const { driver, machine, handle } = guest;
        const { write } = ratesIn((await guest.sh(writeAndRead(1))).stdout);
        assert.ok(write < 1.25 * WRITE_RATE, `${write} bytes a second`);
        await driver.diskRates?.setDiskRates(machine, handle, NO_RATES);
        const free = ratesIn((await guest.sh(writeAndRead(1))).stdout);
        assert.ok(free.write > 1.5 * write, `without a limit ${free.write} bytes a second, with it ${write}`);
        guest.machine = { ...machine, limits: { ...machine.limits, ...NO_RATES } };
      },
    );

    step('grows its file system while it runs, and has no more disk than that', async (guest) => {
      const { driver, machine, handle } = guest;
      const look = 'cat /proc/sys/kernel/random/boot_id; df --output=size -B1M / | tail -n 1';
      const [boot, before] = (await guest.sh(look)).stdout.split('\n');
      const limits = { ...machine.limits, disk: 1536 * MIB };
      await driver.limits?.setLimits(machine, handle, limits);
      guest.machine = { ...machine, limits };
      const [later, now] = (await guest.sh(look)).stdout.split('\n');
      assert.equal(later, boot);
      assert.ok(Number(now) > Number(before) + 400, `${before} and ${now} MiB`);
      const file = statSync(join(machine.volume, 'disk.raw'));
      assert.equal(file.size, limits.disk);
      // The whole disk, of which its own is a part, has a size that none has.
      const beyond = await guest.sh('dd if=/dev/zero of=/dev/ubda bs=1M count=1 seek=1536 oflag=direct');
      assert.match(beyond.stderr, /No space left/);
      await guest.sh('fallocate -p -o 1536M -l 1M /dev/ubda; fallocate -z -o 1536M -l 1M /dev/ubda');
      const after = statSync(join(machine.volume, 'disk.raw'));
      assert.equal(after.size, limits.disk);
    });

    step('has its larger disk when it restarts within its process', async (guest) => {
      const look = 'cat /proc/sys/kernel/random/boot_id; cat /sys/class/block/ubda1/size';
      const [boot] = (await guest.sh(look)).stdout.split('\n');
      void guest.sh('sync; echo b >/proc/sysrq-trigger').catch(() => undefined);
      const again = async () => (await guest.sh(look).catch(() => undefined))?.stdout.split('\n') ?? [];
      let now: string[] = [];
      await eventually(
        'it has restarted',
        async () => {
          now = await again();
          return now[0] !== undefined && now[0] !== '' && now[0] !== boot;
        },
        60_000,
      );
      assert.equal(Number(now[1]) * 512, guest.machine.limits.disk);
      assert.equal(await guest.driver.recover(guest.machine, guest.handle), 'running');
      await guest.ready();
    });

    step('stops a guest that forks without end, and gets it back', async (guest) => {
      const result = await guest.sh(FORK_BOMB);
      assert.match(result.stdout + result.stderr, /[Cc]annot fork|Resource temporarily unavailable/);
      const isBack = async () => (await guest.sh('ls / | wc -l').catch(() => undefined))?.code === 0;
      await eventually('it runs two programs at once again', isBack, 30_000);
      await guest.ready();
    });

    step('keeps a guest that fills its memory inside its limit, and alive', async (guest) => {
      const filled = await guest.sh(
        'perl -e \'my @all; push @all, "$_" x (4 << 20) for 1 .. 99\' 2>&1; echo $?',
      );
      assert.notEqual(filled.stdout, '0\n');
      assert.equal(await guest.driver.recover(guest.machine, guest.handle), 'running');
      await guest.ready();
      const { memory } = await guest.driver.usage(guest.machine, guest.handle);
      assert.ok(memory > 50 * MIB && memory < 128 * MIB * 1.125 + 96 * MIB, `${memory}`);
    });

    step('carries on when its daemon is gone in the midst of commands, and takes new ones', async (guest) => {
      const flood = await guest.exec('while :; do echo flood; done');
      flood.exit.catch(() => undefined);
      await new Promise((resolve) => flood.stdout.once('data', resolve));
      const later = guest.reopen();
      flood.stdout.resume();
      assert.equal(await later.recover(guest.machine, guest.handle), 'running');
      await guest.ready();
      for (let round = 0; round < 14; round += 1) {
        const said = await finish(await guest.exec('cat'), 'again');
        assert.deepEqual(said, { code: 0, stdout: 'again', stderr: '' });
      }
    });

    step('ends what ran commands and stands still, with its command', async (guest) => {
      const runs = async (what: string) => (await guest.sh(what)).code === 0;
      const stop = '(sleep 1; kill -STOP $PPID) </dev/null >/dev/null 2>&1 &';
      const first = (await guest.sh(`${stop} echo $PPID`)).stdout.trim();
      const another = async () => (await guest.sh('echo $PPID')).stdout.trim() !== first;
      await eventually('another runs commands', another, 30_000);
      await eventually('the first has ended', async () => !(await runs(`test -e /proc/${first}`)), 30_000);
      const held = await guest.exec('kill -STOP $PPID; exec sleep 4321');
      // Its pattern is not what it looks for.
      const sleeps = () =>
        runs("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -q 'sleep 432[1]'");
      await eventually('its command runs', sleeps, 30_000);
      held.close();
      await eventually('its command has ended', async () => !(await sleeps()), 60_000);
    });

    step('finds a guest that stands still, and lets it go on', async (guest) => {
      const { machine, handle } = guest;
      await guest.driver.pause?.pause(machine, handle);
      const later = guest.reopen();
      assert.equal(await later.recover(machine, handle), 'paused');
      assert.equal(await guest.isReady(), false);
      await later.pause?.resume(machine, handle);
      await guest.ready();
    });

    step('tells of a kernel that panicked', async (guest) => {
      let told = '';
      guest.driver.onExit(guest.machine, guest.handle, ({ kind, reason }) => {
        told = `${kind}: ${reason}`;
      });
      void guest.sh('echo c >/proc/sysrq-trigger').catch(() => undefined);
      await eventually('it has ended', () => told !== '', 30_000);
      assert.match(told, /^died: .*panicked/);
      await guest.remove();
      await guest.startAgain();
    });

    step('leaves no process, cgroup, link, pipe or socket behind when it is killed', async (guest) => {
      const { driver, machine, handle } = guest;
      process.kill(handle.pid, 'SIGKILL');
      await eventually('its programs have ended', () => new Cgroups().processes(machine.cgroup).length === 0);
      await guest.remove();
      const [parent = ''] = machine.cgroup.split('/');
      assert.ok(!new Cgroups().list(parent).includes(machine.id));
      assert.ok(!existsSync(machine.runDirectory));
      assert.ok(!readFileSync('/proc/self/net/dev', 'utf8').includes(LINK));
      const signal = new AbortController().signal;
      const log = await driver.logs?.readLogs(machine, { follow: false, lines: 5, signal });
      assert.ok(log !== undefined);
      await readAll(log);
    });
  });
}
