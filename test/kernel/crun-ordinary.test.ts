import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { finish } from '../conformance/drivers.ts';
import { type CrunFixture, debianImage, NO_DEBIAN, openCrunFixture } from '../support/crun-fixture.ts';
import { eventually } from '../support/scratch.ts';

/** What administrators do with a server, by the real programs of Debian. */
const USES: Readonly<Record<string, string>> = {
  'apt works out what it would install': 'apt-get -s install systemd && apt-get check',
  'dpkg unpacks and removes a package':
    'cd /tmp && mkdir -p p/DEBIAN && printf "Package: p\\nVersion: 1\\nArchitecture: all\\nMaintainer: n <n@example.org>\\nDescription: d\\n" > p/DEBIAN/control && dpkg-deb -b p && dpkg -i p.deb && dpkg -P p',
  'useradd, passwd and su make a user and become it':
    'useradd -m -s /bin/sh guest1 && echo guest1:secret | chpasswd && [ "$(su - guest1 -c "id -un")" = guest1 ]',
  'the SSH server takes its configuration': 'mkdir -p /run/sshd && ssh-keygen -A && $(command -v sshd) -t',
  'systemd runs a unit with every usual protection':
    'systemd-run --wait --quiet -p PrivateTmp=yes -p ProtectSystem=strict -p ProtectHome=yes -p PrivateDevices=yes -p ProtectKernelTunables=yes -p ProtectControlGroups=yes -p NoNewPrivileges=yes -p SystemCallFilter=@system-service -p DynamicUser=yes true',
  'systemd limits a unit':
    'systemd-run --wait --quiet -p MemoryMax=64M -p TasksMax=20 -p LimitNOFILE=4096 true',
  'the journal keeps what is logged':
    'logger -t mullion-test hello && journalctl --sync && journalctl -t mullion-test | grep -q hello',
  'a time zone and a host name can be set': 'timedatectl status && hostnamectl status && hostname renamed',
  'a tmpfs, a bind mount and an overlay can be mounted':
    'mkdir -p /mnt/a /mnt/b && mount -t tmpfs none /mnt/a && mkdir /mnt/a/u /mnt/a/w /mnt/a/m && mount --bind /etc /mnt/b && mount -t overlay -o lowerdir=/mnt/b,upperdir=/mnt/a/u,workdir=/mnt/a/w none /mnt/a/m && umount /mnt/a/m /mnt/b /mnt/a',
  'cron-like timers, locks and messages work':
    'systemd-run --quiet --on-active=1s true && flock /tmp/l true && ipcs -a',
  'a program is traced': 'perl -e "syscall(101, 0, 0, 0, 0) == 0 or die"',
  'the loopback gets an address and answers':
    'ip link set lo up && ip address add 10.9.9.9/32 dev lo && ping -c 1 10.9.9.9',
};

let fixture: CrunFixture | undefined;
let unfit: string | undefined;
before(() => {
  const image = debianImage();
  if (process.getuid?.() !== 0) unfit = 'needs root';
  else if (image === undefined) unfit = NO_DEBIAN;
  else fixture = openCrunFixture(image, 60_000);
});
after(() => fixture?.close());

test('Debian boots whole behind the filter, and is used as a server is', async (t) => {
  if (fixture === undefined) return t.skip(unfit);
  const { driver } = fixture;
  const machine = await fixture.machine();
  t.after(() => driver.remove(machine, undefined));
  await driver.populate(machine);
  const { handle } = await driver.prepare(machine);
  await driver.start(machine, handle);
  await eventually(
    'the guest is ready',
    async () => (await driver.health?.isReady(machine, handle)) === true,
    60_000,
  );
  const sh = async (script: string) => {
    const session = await driver.exec?.exec(machine, handle, {
      argv: ['sh', '-c', script],
      env: {},
      tty: false,
    });
    assert.ok(session !== undefined);
    return finish(session);
  };
  await t.test('no unit has failed', async () => {
    const { stdout } = await sh('systemctl is-system-running; systemctl --failed --no-legend --plain');
    assert.equal(stdout, 'running\n');
  });
  for (const [name, script] of Object.entries(USES)) {
    await t.test(name, async () => {
      const { code, stdout, stderr } = await sh(script);
      assert.equal(code, 0, `${script}\n${stdout}${stderr}`);
    });
  }
  await t.test('it takes no more of the kernel than its share, and others keep theirs', async () => {
    const watchers =
      'my @h; for (1 .. 2000) { my $f = syscall(253); last if $f < 0; push @h, $f } print scalar @h';
    const many = Number((await sh(`ulimit -n 4096; perl -e '${watchers}'`)).stdout);
    assert.ok(many > 100 && many <= 512, `${many} watchers of files`);
    const raised = await sh(
      'echo 100000 > /proc/sys/user/max_inotify_instances; cat /proc/sys/user/max_inotify_instances',
    );
    assert.equal(raised.stdout, '512\n');
    const terminals =
      'my $n = 0; my @h; while ($n < 400) { open(my $t, "+<", "/dev/ptmx") or last; push @h, $t; $n++ } print $n';
    const opened = Number((await sh(`perl -e '${terminals}'`)).stdout);
    assert.ok(opened > 100 && opened <= 256, `${opened} terminals`);
  });
});
