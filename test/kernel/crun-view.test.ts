import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { NO_RATES } from '../../src/contract/rates.ts';
import { GuestViews } from '../../src/drivers/crun/view/guest-views.ts';
import { kernelFileNames } from '../../src/host/kernel-files.ts';
import { programPath } from '../../src/host/programs.ts';
import { finish } from '../conformance/drivers.ts';
import { type CrunFixture, NO_BUSYBOX, openCrunFixture, smallImage } from '../support/crun-fixture.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';

const MIB = 1024 ** 2;

describe('what a container sees of its host', () => {
  let fixture: CrunFixture | undefined;
  let unfit: string | undefined;
  const images = scratchDirectory('crun-image');
  before(async () => {
    const image = await smallImage(images.path);
    if (process.getuid?.() !== 0) unfit = 'needs root';
    else if (image === undefined) unfit = NO_BUSYBOX;
    else fixture = openCrunFixture(image, 5_000);
  });
  after(async () => {
    await fixture?.close();
    images[Symbol.dispose]();
  });

  async function start(t: TestContext, on = fixture) {
    if (on === undefined) {
      t.skip(unfit ?? 'the fixture did not open');
      return undefined;
    }
    const machine = await on.machine({
      limits: { cpus: 1, memory: 64 * MIB, disk: 1024 * MIB, pids: 64, ...NO_RATES },
    });
    t.after(() => on.driver.remove(machine, undefined));
    await on.driver.populate(machine);
    const { handle } = await on.driver.prepare(machine);
    await on.driver.start(machine, handle);
    const sh = async (script: string): Promise<string> => {
      const session = await on.driver.exec?.exec(machine, handle, {
        argv: ['sh', '-c', script],
        env: {},
        tty: false,
      });
      assert.ok(session !== undefined);
      const { stdout, stderr } = await finish(session);
      return stdout + stderr;
    };
    return { on, machine, handle, sh };
  }
  const lxcfsPid = (on: CrunFixture): number =>
    Number(readFileSync(join(on.scratch, 'run/lxcfs.pid'), 'utf8'));

  it('has its own memory, processors and time since its start', async (t) => {
    if (programPath('lxcfs') === undefined) return t.skip('lxcfs is not installed');
    const guest = await start(t);
    if (guest === undefined) return;
    assert.match(await guest.sh('cat /proc/meminfo'), /^MemTotal: +65536 kB$/m);
    assert.equal((await guest.sh('grep -c ^processor /proc/cpuinfo')).trim(), '1');
    assert.equal(
      await guest.sh('cat /sys/devices/system/cpu/online; ls -d /sys/devices/system/cpu/cpu*'),
      '0\n/sys/devices/system/cpu/cpu0\n',
    );
    assert.ok(Number((await guest.sh('cut -d. -f1 /proc/uptime')).trim()) < 60);
    await guest.on.driver.limits?.setLimits(guest.machine, guest.handle, {
      ...guest.machine.limits,
      cpus: 2,
    });
    assert.match(await guest.sh('cat /sys/devices/system/cpu/present'), /^0(-1)?\n$/);
  });

  it('cannot take the covers away, nor look behind them by another /proc or /sys', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    const hidden = 'kallsyms keys interrupts config.gz timer_list vmallocinfo iomem modules';
    for (const attempt of [
      'true',
      `for f in ${hidden}; do umount /proc/$f; umount -l /proc/$f; done`,
      'mkdir /tmp/p; mount -t proc proc /tmp/p && cat /tmp/p/interrupts',
      'mkdir /tmp/s; mount -t sysfs sysfs /tmp/s && ls /tmp/s/block/* /tmp/s/class/dmi',
      'mkdir /tmp/b; mount --bind /proc /tmp/b && cat /tmp/b/interrupts',
      'mkdir /tmp/r; mount --rbind /proc /tmp/r; umount /tmp/r/interrupts; cat /tmp/r/interrupts',
      'unshare -rm sh -c "umount /proc/interrupts; cat /proc/interrupts"',
      'unshare -rmpf sh -c "mount -t proc proc /proc; cat /proc/interrupts"',
      'umount -l /proc; mount -t proc proc /proc; cat /proc/interrupts',
      'mkdir /tmp/o; mount -t overlay -o lowerdir=/proc:/etc none /tmp/o && cat /tmp/o/interrupts',
      'umount -l /sys; mount -t sysfs sysfs /sys; ls /sys/block/* /sys/class/dmi',
    ]) {
      const shown = await guest.sh(`${attempt}; for f in ${hidden}; do cat /proc/$f; done`);
      assert.doesNotMatch(shown, /CPU0|LOC:|CONFIG_|T _text|System RAM|id[0-9]/, attempt);
    }
  });

  it('reads no path of the host in its tables of mounts', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    // At once, while the host still has what its view was made on.
    const own = readFileSync(`/proc/${guest.handle.pid}/mountinfo`, 'utf8');
    assert.doesNotMatch(own, / (?:master|propagate_from):\d/, 'nor the number of a group of its mounts');
    const tables = await guest.sh('cat /proc/mounts /proc/self/mountinfo /proc/self/mountstats');
    for (const name of [guest.on.scratch, guest.machine.id, 'volumes', '/dev/vda', 'devtmpfs']) {
      assert.ok(!tables.includes(`${name}/`) && !tables.includes(`${name} `), `${name}\n${tables}`);
    }
  });

  it('has a boot of its own', async (t) => {
    const [one, other] = [await start(t), await start(t)];
    if (one === undefined || other === undefined) return;
    const read = 'cat /proc/sys/kernel/random/boot_id';
    const ids = [
      await one.sh(read),
      await other.sh(read),
      readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'),
    ];
    assert.equal(new Set(ids).size, 3);
  });

  it('gets its files back when lxcfs is killed, and again', async (t) => {
    if (programPath('lxcfs') === undefined) return t.skip('lxcfs is not installed');
    const guest = await start(t);
    if (guest === undefined) return;
    for (const round of [1, 2, 3]) {
      const former = lxcfsPid(guest.on);
      process.kill(former, 'SIGKILL');
      await eventually(
        `the memory is told again (${round})`,
        async () => {
          const shown = await guest.sh('cat /proc/meminfo');
          assert.doesNotMatch(shown, /^MemTotal: +(?!65536 )\d/m, 'never the host’s');
          return lxcfsPid(guest.on) !== former && /^MemTotal: +65536 kB$/m.test(shown);
        },
        30_000,
      );
    }
    const layers = await guest.sh('grep -c " /proc/meminfo " /proc/self/mountinfo');
    assert.ok(Number(layers.trim()) <= 2, `${layers} layers`);
  });

  it('is not held for ever by an lxcfs that stands still', async (t) => {
    if (programPath('lxcfs') === undefined) return t.skip('lxcfs is not installed');
    const guest = await start(t);
    if (guest === undefined) return;
    const former = lxcfsPid(guest.on);
    process.kill(former, 'SIGSTOP');
    await eventually(
      'the memory is told again, by another',
      async () => {
        const shown = await guest.sh('cat /proc/meminfo');
        return lxcfsPid(guest.on) !== former && /^MemTotal: +65536 kB$/m.test(shown);
      },
      60_000,
    );
  });

  it('gets its files back from a daemon that finds lxcfs dead, and keeps good ones', async (t) => {
    if (programPath('lxcfs') === undefined) return t.skip('lxcfs is not installed');
    if (fixture === undefined) return t.skip(unfit ?? 'the fixture did not open');
    const daemons: GuestViews[] = [];
    const on = openCrunFixture({ id: 'small', rootfs: images.path }, 5_000, undefined, (naming) => {
      const views = new GuestViews(naming);
      daemons.push(views);
      return views;
    });
    const guest = await start(t, on);
    if (guest === undefined) return;
    t.after(() => on.close());
    const { machine, handle } = guest;
    const restart = async (): Promise<void> => {
      const driver = on.reopen();
      await daemons.at(-1)?.open();
      assert.equal(await driver.recover(machine, handle), 'running');
    };
    const mounts = (): string => readFileSync(`/proc/${handle.pid}/mountinfo`, 'utf8');

    daemons[0]?.close();
    const former = mounts();
    await restart();
    assert.equal(mounts(), former);

    daemons[1]?.close();
    const dead = lxcfsPid(on);
    process.kill(dead, 'SIGKILL');
    await eventually('lxcfs has ended', () => !existsSync(`/proc/${dead}`));
    assert.match(await guest.sh('cat /proc/meminfo'), /not connected/);
    await restart();
    assert.match(await guest.sh('cat /proc/meminfo'), /^MemTotal: +65536 kB$/m);
  });

  it('is shown no file of a module that was loaded later', async (t) => {
    if (fixture === undefined) return t.skip(unfit ?? 'the fixture did not open');
    let loaded = false;
    const names = (): string[] => kernelFileNames().filter((name) => loaded || name !== 'interrupts');
    const on = openCrunFixture(
      { id: 'small', rootfs: images.path },
      5_000,
      undefined,
      (naming) => new GuestViews(naming, undefined, names),
    );
    const early = await start(t, on);
    if (early === undefined) return;
    const read = 'cat /proc/interrupts';
    const seen = await early.sh(read);
    loaded = true;
    const late = await start(t, on);
    t.after(() => on.close());
    assert.match(seen, /CPU0/);
    assert.equal(await late?.sh(read), '');
    await eventually('who ran before sees it no more', async () => (await early.sh(read)) === '');
  });

  it('has devices that work, and no memory of the host behind them', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    assert.equal(
      await guest.sh('echo x > /dev/null; head -c 4 /dev/zero | wc -c; head -c 8 /dev/urandom | wc -c'),
      '4\n8\n',
    );
    assert.doesNotMatch(await guest.sh('df -k /dev /dev/null'), /[0-9]{7,}/);
  });
});
