import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { NO_RATES } from '../../src/contract/rates.ts';
import type { Limits } from '../../src/contract/vps.ts';
import type { Handle, Machine, MachineEnd } from '../../src/drivers/driver.ts';
import { mountsUnder } from '../../src/host/mounts.ts';
import { finish } from '../conformance/drivers.ts';
import { type CrunFixture, NO_BUSYBOX, openCrunFixture, smallImage } from '../support/crun-fixture.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';

describe('a container against its host', () => {
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

  interface Running {
    readonly on: CrunFixture;
    readonly machine: Machine;
    readonly handle: Handle;
    /** Output of a shell's commands in the guest, both streams. */
    sh(script: string): Promise<string>;
  }
  const LIMITS: Limits = { cpus: 1, memory: 48 * 1024 ** 2, disk: 1024 ** 3, pids: 24, ...NO_RATES };

  async function start(
    t: TestContext,
    prepareVolume?: (machine: Machine) => void,
  ): Promise<Running | undefined> {
    if (fixture === undefined) {
      t.skip(unfit ?? 'the fixture did not open');
      return undefined;
    }
    const on = fixture;
    const machine = await on.machine({ limits: LIMITS });
    t.after(() => on.driver.remove(machine, undefined));
    await on.driver.populate(machine);
    prepareVolume?.(machine);
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

  it('holds no mount of a running VPS on the host', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    const held = () => mountsUnder(join(guest.on.scratch, 'run/vps')).map(({ target }) => target);
    await eventually('the host has no mount of it', () => held().length === 0, 2_000);
  });

  it('is another user on the host, and root of its own files', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    const status = readFileSync(`/proc/${guest.handle.pid}/status`, 'utf8');
    const { base } = guest.machine.ids;
    assert.match(status, new RegExp(`^Uid:\\t${base}\\t`, 'm'));
    assert.match(status, /^Seccomp:\t2$/m);
    assert.match(status, /^NoNewPrivs:\t0$/m);
    assert.equal(await guest.sh('echo mine > /mine; stat -c "%u %g" /mine /bin/busybox'), '0 0\n0 0\n');
    assert.equal(existsSync(join(guest.machine.volume, 'upper/mine')), true);
  });

  it('cannot write its image', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    await guest.sh('echo changed > /etc/passwd; rm -rf /sbin');
    assert.match(readFileSync(join(images.path, 'etc/passwd'), 'utf8'), /^root:/);
    assert.equal(existsSync(join(images.path, 'sbin/init')), true);
  });

  it('is refused what belongs to the host', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    const refused: readonly string[] = [
      'mknod /tmp/disk b 254 0',
      'mknod /tmp/mem c 1 1',
      'dmesg',
      'echo 1 > /proc/sysrq-trigger',
      'echo 1 > /proc/sys/kernel/panic',
      'echo /tmp/x > /proc/sys/kernel/core_pattern',
      'echo 1 > /sys/kernel/mm/ksm/run',
      'date -s 2001-01-01 >/dev/null 2>&1; [ "$(date +%Y)" = 2001 ]',
      'hwclock -w',
      'swapon /bin/busybox',
      'insmod /bin/busybox',
      'mount -t ext4 /dev/vda /tmp',
      'mount -o remount,rw /sys',
      'echo -1000 > /proc/1/oom_score_adj',
      'echo 1000000000 > /sys/fs/cgroup/memory/memory.limit_in_bytes',
      '[ -e /sys/fs/cgroup/memory.max ] && echo 1000000000 > /sys/fs/cgroup/memory.max',
    ];
    for (const attempt of refused) {
      assert.match(await guest.sh(`${attempt} && echo SUCCEEDED`), /^(?![\s\S]*SUCCEEDED)/, attempt);
    }
  });

  it('sees no process, user or folder of the host', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    const processes = (await guest.sh('ls -d /proc/[0-9]*')).trim().split('\n');
    assert.ok(processes.length < 8, processes.join(' '));
    assert.equal((await guest.sh('cat /proc/1/cgroup')).includes('mullion'), false);
    assert.equal((await guest.sh('ls -A /dev')).includes('vda'), false);
    assert.equal((await guest.sh('kill -9 -1; ls -d /proc/1')).trim(), '/proc/1');
  });

  it('cannot lead the host astray by links in its own tree', async (t) => {
    const outside = scratchDirectory('crun-outside');
    t.after(() => outside[Symbol.dispose]());
    writeFileSync(join(outside.path, 'hostname'), 'the host');
    const guest = await start(t, ({ volume }) => {
      symlinkSync(outside.path, join(volume, 'upper/etc'));
      symlinkSync(outside.path, join(volume, 'upper/var'));
      mkdirSync(join(volume, 'upper/root/.ssh'), { recursive: true });
      symlinkSync(join(outside.path, 'hostname'), join(volume, 'upper/root/.ssh/authorized_keys2'));
    });
    if (guest === undefined) return;
    assert.deepEqual(readdirSync(outside.path), ['hostname']);
    assert.equal(readFileSync(join(outside.path, 'hostname'), 'utf8'), 'the host');
    const { files } = guest.on.driver;
    assert.ok(files !== undefined);
    await guest.sh(`ln -s ${outside.path}/hostname /link; ln -s ${outside.path} /folder`);
    await assert.rejects(files.pull(guest.machine, guest.handle, '/link'), { code: 'not_found' });
    await assert.rejects(files.pull(guest.machine, guest.handle, '/folder/hostname'), { code: 'not_found' });
  });

  it('keeps the host’s mount points, whatever the guest puts in their place', async (t) => {
    let own = '';
    const guest = await start(t, ({ volume }) => {
      own = volume;
      rmSync(join(volume, 'upper/proc'), { recursive: true, force: true });
      symlinkSync('/tmp', join(volume, 'upper/proc'));
    }).catch((failure: unknown) => failure);
    if (guest === undefined) return;
    // crun refuses to mount through a link, or mounts inside the guest's own tree: either way the host stays as it is.
    assert.match(readFileSync('/proc/self/mountinfo', 'utf8'), / \/proc /);
    assert.deepEqual(mountsUnder(own), []);
  });

  it('loses only its own process when its memory is full', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    await guest.sh('tail /dev/zero');
    await guest.sh('dd if=/dev/zero of=/dev/shm/full bs=1M count=200');
    assert.equal(await guest.sh('rm /dev/shm/full; echo alive'), 'alive\n');
    assert.equal(await guest.on.driver.recover(guest.machine, guest.handle), 'running');
  });

  it('gets no more processes than its limit, and more when the limit is raised', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    await guest.sh('for i in $(seq 100); do sleep 300 >/dev/null 2>&1 & done');
    assert.match(await guest.sh('ls /; ls /'), /Resource temporarily unavailable/);
    const usage = await guest.on.driver.usage(guest.machine, guest.handle);
    assert.ok((usage.processes ?? Number.NaN) <= LIMITS.pids);
    await guest.on.driver.limits?.setLimits(guest.machine, guest.handle, { ...LIMITS, pids: 64 });
    assert.equal(await guest.sh('ls -d /; ls -d /'), '/\n/\n');
  });

  it('gets no more time of processors than its limit, however many processes want it', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    const { driver } = guest.on;
    await driver.limits?.setLimits(guest.machine, guest.handle, { ...LIMITS, cpus: 0.5 });
    const used = async (): Promise<number> => (await driver.usage(guest.machine, guest.handle)).cpuSeconds;
    await guest.sh('for i in 1 2 3 4; do (while :; do :; done) >/dev/null 2>&1 & done');
    const [before, began] = [await used(), performance.now()];
    await eventually('it has used a second', async () => (await used()) - before > 1, 60_000);
    const share = ((await used()) - before) / ((performance.now() - began) / 1000);
    assert.ok(share < 0.65, `${share.toFixed(2)} processors`);
  });

  it('is not protected from the lack of memory as its daemon is', async (t) => {
    const own = readFileSync('/proc/self/oom_score_adj', 'utf8');
    t.after(() => writeFileSync('/proc/self/oom_score_adj', own));
    writeFileSync('/proc/self/oom_score_adj', '300');
    const guest = await start(t);
    if (guest === undefined) return;
    assert.equal(await guest.sh('cat /proc/self/oom_score_adj /proc/1/oom_score_adj'), '0\n0\n');
  });

  it('keeps its memory when a smaller limit than it uses is asked for', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    await guest.sh('dd if=/dev/zero of=/dev/shm/some bs=1M count=20');
    const { limits } = guest.on.driver;
    assert.ok(limits !== undefined);
    const smaller = { ...LIMITS, memory: 16 * 1024 ** 2 };
    const asked = limits.setLimits(guest.machine, guest.handle, smaller);
    if (guest.on.cgroups.layout.layout === 'v2') await asked;
    else await assert.rejects(asked, { code: 'in_use' });
    assert.equal(await guest.sh('rm -f /dev/shm/some; echo alive'), 'alive\n');
    await limits.setLimits(guest.machine, guest.handle, smaller);
  });

  it('cannot fill the host by its console', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    await guest.sh('dd if=/dev/zero bs=64k count=320 2>/dev/null | tr "\\0" x | fold -w 200 > /dev/console');
    const log = join(guest.machine.logDirectory, 'console.log');
    assert.ok(existsSync(log));
    const size = readFileSync(log).length;
    assert.ok(size < 6 * 1024 ** 2, `the log has ${size} bytes`);
  });

  it('can break its own tables of users, and harms itself alone', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    const exec = guest.on.driver.exec;
    assert.ok(exec !== undefined);
    const request = { argv: ['id', '-u'], env: {}, tty: false, user: 'evil' };
    for (const row of [
      'evil:x:-1:0::/:',
      'evil:x:65536:0::/:',
      'evil:x:4294967295:0::/:',
      'evil:x:0x0:0::/:',
    ]) {
      await guest.sh(`echo '${row}' > /etc/passwd`);
      await assert.rejects(exec.exec(guest.machine, guest.handle, request), { code: 'not_found' }, row);
    }
    await guest.sh('rm /etc/passwd; ln -s /dev/zero /etc/passwd; rm -f /etc/group');
    await guest.sh('rm /etc/passwd; mkdir /etc/passwd');
    await assert.rejects(exec.exec(guest.machine, guest.handle, request), { code: 'not_found' });
  });

  it('cannot have its container made or removed under another’s name', async (t) => {
    if (fixture === undefined) {
      t.skip(unfit ?? 'the fixture did not open');
      return;
    }
    const machine = await fixture.machine({ id: '../evil' });
    await fixture.driver.populate(machine);
    await assert.rejects(fixture.driver.prepare(machine));
  });

  it('is told why it has ended', async (t) => {
    const guest = await start(t);
    if (guest === undefined) return;
    let told: MachineEnd | undefined;
    guest.on.driver.onExit(guest.machine, guest.handle, (end) => {
      told = end;
    });
    assert.equal(await guest.on.driver.shutdown(guest.machine, guest.handle, 60_000), true);
    await eventually('the reason is told', () => told !== undefined);
    assert.equal(told?.kind, 'poweroff');
  });
});
