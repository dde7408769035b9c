import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after } from 'node:test';
import { readAll } from '../conformance/drivers.ts';
import { DatagramTrap } from '../support/datagram-trap.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';
import { openSmallQemu } from '../support/small-guest.ts';
import { describeGuest, type StandingGuest, type Step } from '../support/standing-guest.ts';
import { openSmallUml } from '../support/uml-fixture.ts';

const SECRET = 'a secret of the host';
const outside = scratchDirectory('machine-host');
after(() => outside[Symbol.dispose]());
const secret = join(outside.path, 'secret');
chmodSync(outside.path, 0o755);
writeFileSync(secret, SECRET, { mode: 0o644 });

const filesOf = ({ driver }: StandingGuest) => {
  assert.ok(driver.files !== undefined);
  return driver.files;
};

function attempts(step: Step): void {
  step('pulls, pushes and lists its own files by whatever path, and none of the host', async (guest) => {
    const { machine, handle } = guest;
    const files = filesOf(guest);
    await guest.sh(`echo mine >/own; ln -sfn ${secret} /link; ln -sfn ${outside.path} /folder`);
    const own = await files.pull(machine, handle, '/../../../../../own');
    assert.equal((await readAll(own)).toString(), 'mine\n');
    for (const path of ['/link', '/folder/secret', secret, `/../../..${secret}`, `/proc/1/root${secret}`])
      await assert.rejects(files.pull(machine, handle, path), { code: 'not_found' }, path);
    await assert.rejects(files.list(machine, handle, '/folder/'), { code: 'not_found' });
    await files.push(machine, handle, '/link', Readable.from([Buffer.from('x')]), 0o644);
    await assert.rejects(files.push(machine, handle, '/folder/new', Readable.from(['x']), 0o644));
    assert.equal(readFileSync(secret, 'utf8'), SECRET);
    assert.deepEqual(readdirSync(outside.path), ['secret']);
  });

  step('gives names as what they are, and its host makes no path of them', async (guest) => {
    const { machine, handle } = guest;
    await guest.sh(
      'mkdir -p /names; touch "/names/$(printf \'a\\033[2Jb\')" "/names/$(printf \'c\\nd\')" /names/..x',
    );
    const names = (await filesOf(guest).list(machine, handle, '/names')).map(({ name }) => name).toSorted();
    assert.deepEqual(names, ['..x', 'a\x1b[2Jb', 'c\nd']);
  });

  step('sends what it shows on its console as bytes', async (guest) => {
    const { driver, machine } = guest;
    await guest.sh(
      `printf '\\033]0;t\\007\\033[2J\\033P+q\\033\\\\here\\n' >/dev/console; echo the-end >/dev/console`,
    );
    const { signal } = new AbortController();
    await eventually('its end is in the log', async () => {
      const log = await driver.logs?.readLogs(machine, { follow: false, lines: 3, signal });
      return log !== undefined && (await readAll(log)).toString('latin1').includes('the-end');
    });
  });
}

describeGuest(
  'a root of a guest of QEMU that wants out',
  {
    open: openSmallQemu,
    machine: {},
  },
  (step) => {
    attempts(step);
    step('sees no device but those that it needs', async (guest) => {
      const { stdout } = await guest.sh(
        'cat /sys/bus/pci/devices/*/vendor | sort | uniq -c; ls /sys/bus/usb 2>&1',
      );
      // Those of q35 itself, QEMU's bridge, and virtio.
      assert.match(stdout, /^ +\d 0x1af4\n +1 0x1b36\n +[23] 0x8086\n/);
    });
  },
);

describeGuest(
  'a root of a guest of User-Mode Linux that wants out',
  {
    open: openSmallUml,
    machine: {},
  },
  (step) => {
    attempts(step);
    /** The jail's root, at /h of the guest. */
    const HOSTFS = 'mkdir -p /h; mountpoint -q /h || mount -t hostfs none /h -o ..; ';
    const socketsOf = ({ machine }: StandingGuest) => join(machine.runDirectory, 's');

    step('reaches by hostfs the jail’s root and nothing of the host', async (guest) => {
      const { stdout } = await guest.sh(
        `${HOSTFS} ls /h; cat /h$1 /h/../../../..$1 /h/proc/1/root$1; ls /h/proc /h/dev; echo end`,
        secret,
      );
      assert.match(stdout, /^dev\nlib\n/);
      assert.match(stdout, /end\n$/);
      assert.doesNotMatch(stdout, new RegExp(`${SECRET}|^(etc|home|sys|vda|kvm)$`, 'm'));
    });

    step('puts by hostfs nothing in the place of its disk', async (guest) => {
      const { volume } = guest.machine;
      const former = readdirSync(volume);
      await guest.sh(
        `${HOSTFS} cd /h/volume; ln -s $1 new; mv disk.raw old; rm -f disk.raw; ln -sf $1 disk.raw; ln disk.raw twin; mkdir folder; echo x >>initramfs`,
        secret,
      );
      assert.deepEqual(readdirSync(volume), former);
      assert.ok(lstatSync(join(volume, 'disk.raw')).isFile());
    });

    step('fills by hostfs nothing of the host’s', async (guest) => {
      const { stdout } = await guest.sh(
        `${HOSTFS} head -c 4M /dev/zero >/h$1/fill; stat -c %s /h$1/fill; rm /h$1/fill; n=0; while [ $n -lt 400 ] && true >/h$1/n$n; do n=$((n+1)); done 2>/dev/null; rm -f /h$1/n*; echo $n`,
        socketsOf(guest),
      );
      const [bytes, files] = stdout.trim().split('\n').map(Number);
      assert.ok(bytes !== undefined && bytes <= 64 * 1024, `${bytes} bytes`);
      assert.ok(files !== undefined && files <= 300, `${files} files`);
    });

    step('leads no command of the host’s to another machine', async (guest) => {
      const { driver, machine, handle } = guest;
      const other = join(outside.path, 'vm');
      mkdirSync(other);
      chmodSync(other, 0o777);
      await using trap = await DatagramTrap.set(join(other, 'mconsole'));
      const sockets = socketsOf(guest);
      // The daemon takes what goes away there for a restart of the guest, and gives its commands up.
      const swap = `${HOSTFS} setsid sh -c 'mv /h$1/vm /h$1/old; ln -s $2 /h$1/vm' sh $1 $2 &`;
      await guest.sh(swap, sockets, other).catch(() => undefined);
      await eventually('a link is in its place', () => {
        const there = lstatSync(join(sockets, 'vm'), { throwIfNoEntry: false });
        return there?.isSymbolicLink() === true;
      });
      await assert.rejects(async () => driver.pause?.pause(machine, handle), { code: 'guest_unresponsive' });
      assert.equal(trap.heard(), 0);
      await guest.ready();
    });
  },
);
