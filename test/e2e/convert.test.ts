import assert from 'node:assert/strict';
import { release } from 'node:os';
import { test } from 'node:test';
import * as z from 'zod';
import { TestDaemon } from '../support/daemon.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { infoOf } from './verbs.ts';

/** Makes files of every kind that a container may make, attributes and access lists by setxattr(2) itself. */
const MAKE = String.raw`set -e
mkdir -p /srv/data/deep/er; cd /srv/data
head -c 300000 /dev/urandom > plain; chown 1000:1001 plain; chmod 640 plain
cp /bin/true setuid; chmod 4755 setuid
ln plain hard; ln -s ../nowhere/at/all dangling; mkfifo pipe; chmod 1777 deep
truncate -s 50M sparse; printf end >> sparse
touch 'a name with spaces' "$(printf 'caf\303\251')"
touch -d '2001-02-03 04:05:06.789' old; chown 65534:65534 deep/er
perl -e '($f, $n, $v) = ("plain", "user.note", "kept"); syscall(188, $f, $n, $v, 4, 0) == 0 or die $!'
perl -e '($f, $n) = ("deep", "system.posix_acl_access");
  $v = pack("V" . "vvV" x 5, 2, 1,6,~0, 2,4,1000, 4,4,~0, 16,4,~0, 32,0,~0);
  syscall(188, $f, $n, $v, length $v, 0) == 0 or die $!'
cp --preserve=all /usr/bin/ping capable
`;
/** One line for each file with all of its metadata, its content, and the attributes in question. */
const MANIFEST = String.raw`cd /srv/data
find . ! -type d -printf '%p|%y|%m|%U|%G|%s|%l|%n|%T@\n' | LC_ALL=C sort
find . -type d -printf '%p|%m|%U|%G|%T@\n' | LC_ALL=C sort
find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
perl -e 'for my $f (@f = ("plain", "hard", "deep", "capable")) { for my $n (@n = ("user.note", "system.posix_acl_access", "security.capability")) {
  $b = "\0" x 256; $r = syscall(191, $f, $n, $b, 256); print "$f $n ", $r > 0 ? unpack("H*", substr($b, 0, $r)) : "none", "\n" } }'
cat /etc/hostname; cut -d: -f1-3 /etc/passwd; cat /etc/marker
`;

/** The same of every file of the system, folders without their times: those of a system that runs change. */
const WHOLE = String.raw`find / -xdev ! -type d ! -type s -printf '%p|%y|%m|%U|%G|%s|%l|%n|%T@\n'
find / -xdev -type d -printf '%p|d|%m|%U|%G\n'
find / -xdev -type f -print0 | xargs -0 sha256sum | sed -E 's/^([0-9a-f]+)  (.*)/\2|sum|\1/'
`;
/** What may differ, by path and by what is told of it. */
const MAY_DIFFER: readonly RegExp[] = [
  // Written anew at each start, with the same content.
  /^\/etc\/(hostname|hosts|machine-id|resolv\.conf) metadata$/,
  /^\/etc\/systemd\/(network\/10-mullion-eth0\.network|system\.conf\.d\/10-mullion\.conf) metadata$/,
  /^\/etc\/systemd\/system\/(mullion-(forget|ssh-keys)|systemd-firstboot)\.(service|timer) metadata$/,
  /^\/etc\/systemd\/system\/[^/]+\.wants\/(mullion-(forget|ssh-keys)|systemd-networkd)\.(service|timer) metadata$/,
  /^\/(root\/\.ssh\/authorized_keys2|var\/lib\/mullion\/make-host-keys) metadata$/,
  // Of the file system itself, and what others are mounted on.
  /^\/(lost\+found|dev|proc|sys|run) metadata$/,
  // What systemd writes as it boots and runs.
  /^\/var\/log\/(journal\/.+|lastlog|wtmp|btmp) /,
  /^\/var\/lib\/systemd\/(linger|random-seed|timers\/.+) /,
  /^\/(var\/)?tmp\/systemd-private-/,
];
/** What the quick image looks for as it boots. */
const WHOLE_SYSTEM = /^\/etc\/whole-system /;
/** Its kernel is another, whose modules are mounted over those of the image. */
const MODULES = /^\/usr\/lib\/modules[/ ]/;

/** The lines of a manifest by what they are about. */
const linesOf = (manifest: string): Map<string, string> =>
  new Map(
    manifest.split('\n').map((line): [string, string] => {
      const [path = '', kind = ''] = line.split('|');
      return [`${path} ${kind === 'sum' ? 'content' : 'metadata'}`, line];
    }),
  );

/** What is in one manifest and not, or otherwise, in the other. */
function differences(before: string, after: string, changed: readonly RegExp[]): string[] {
  const [was, is] = [linesOf(before), linesOf(after)];
  const mayDiffer = [...MAY_DIFFER, ...changed];
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter((name) => was.get(name) !== is.get(name) && !mayDiffer.some((pattern) => pattern.test(name)))
    .map((name) => `${was.get(name) ?? 'nothing'} became ${is.get(name) ?? 'nothing'}`)
    .sort();
}

/** Which technique this host cannot run, and why; nothing when it can. */
async function unlessHealthy(
  daemon: TestDaemon,
  technique: string,
): Promise<{ readonly id?: string; readonly reason?: string }> {
  const reports = z
    .array(z.object({ id: z.string(), state: z.string(), reason: z.string() }))
    .parse(JSON.parse(await daemon.ok(['techniques', '--json'], { timeoutMs: 120_000 })));
  return reports.find(({ id, state }) => id === technique && state !== 'healthy') ?? {};
}

if (enterPrivateNetns(import.meta.url)) {
  test('a VPS changes its technique and keeps its data and its address', async (t) => {
    await using daemon = await TestDaemon.start('convert');
    await daemon.ensureQuickImage();
    const launch = ['launch', 'quick', 'box', '--technique', 'os', '--memory', '384M', '--disk', '1G'];
    await daemon.ok([...launch, '--pids', '300']);
    await daemon.inside(
      'box',
      `${MAKE}\necho mine > /etc/marker; rm /etc/motd; rm -r /usr/share/doc; touch /etc/whole-system`,
    );
    await daemon.ok(['forward', 'add', 'box', '8088:80']);
    // They would come a moment later.
    await daemon.inside('box', 'systemctl start mullion-ssh-keys && ls /etc/ssh/ssh_host_ed25519_key');
    const before = await daemon.inside('box', MANIFEST);
    const whole = await daemon.inside('box', WHOLE);
    assert.ok(linesOf(whole).size > 5_000, 'the manifest is of a whole system');
    const was = await infoOf(daemon, 'box');
    const convert = (technique: string) =>
      daemon.ok(['convert', 'box', '--technique', technique], { timeoutMs: 400_000 });
    /** `changed`: what the test did to it since. */
    const same = async (technique: string, ...changed: readonly RegExp[]): Promise<void> => {
      const is = await infoOf(daemon, 'box');
      assert.deepEqual(
        [is.technique, is.state, is.addresses, is.mac, is.limits, is.forwards],
        [technique, 'running', was.addresses, was.mac, was.limits, was.forwards],
      );
      assert.equal(await daemon.inside('box', MANIFEST), before);
      const now = await daemon.inside('box', WHOLE, { timeoutMs: 300_000 });
      assert.deepEqual(
        differences(whole, now, [...changed, ...(technique === 'kernel' ? [MODULES] : [])]),
        [],
      );
      assert.equal(
        await daemon.inside('box', 'ls -d /etc/motd /usr/share/doc 2>/dev/null | wc -l'),
        '0',
        'what was deleted of the image stays deleted',
      );
    };

    await daemon.check(t, 'a container becomes a machine', async () => {
      await daemon.ok(['snapshot', 'create', 'box', 'container']);
      await convert('full');
      await same('full');
      assert.equal(await daemon.inside('box', 'cat /proc/1/comm'), 'systemd');
      // What it is turned into after this needs no systemd, which takes an emulated processor long.
      await daemon.inside('box', 'rm /etc/whole-system; sync');
      await daemon.ok(['snapshot', 'create', 'box', 'machine'], { timeoutMs: 120_000 });
      assert.notEqual(await daemon.inside('box', 'uname -r'), release());
    });

    await daemon.check(
      t,
      'a machine becomes one of another kind, where this host can run it',
      async (inner) => {
        const { id, reason } = await unlessHealthy(daemon, 'kernel');
        if (id !== undefined) return inner.skip(`${id}: ${reason}`);
        await convert('kernel');
        await same('kernel', WHOLE_SYSTEM);
      },
    );

    await daemon.check(t, 'a machine becomes a container, with the device nodes it made', async () => {
      await daemon.inside(
        'box',
        'mknod /srv/null c 1 3 && chown 7:8 /srv/null && chmod 604 /srv/null && sync',
      );
      await convert('os');
      await same('os', WHOLE_SYSTEM, /^\/srv\/null /);
      const node = await daemon.inside('box', "stat -c '%F %t %T %u %g %a' /srv/null");
      assert.equal(node, 'character special file 1 3 7 8 604');
    });

    await daemon.check(t, 'snapshots of both kinds outlive it, and bring their technique back', async () => {
      const patience = { timeoutMs: 400_000 };
      await daemon.ok(['snapshot', 'restore', 'box', 'machine'], patience);
      assert.equal((await infoOf(daemon, 'box')).technique, 'full');
      await daemon.answers('box');
      assert.equal(await daemon.inside('box', 'cat /etc/marker', patience), 'mine');
      await daemon.ok(['snapshot', 'restore', 'box', 'container'], patience);
      await same('os');
      await daemon.ok(['snapshot', 'delete', 'box', 'container']);
      await daemon.ok(['snapshot', 'delete', 'box', 'machine']);
    });

    await daemon.check(t, 'what cannot be converted is refused, and stays what it is', async () => {
      const lacking = await daemon.cli(['convert', 'box', '--technique', 'hardware']);
      assert.equal(lacking.code, 3, lacking.stderr);
      const itself = await daemon.cli(['convert', 'box', '--technique', 'os']);
      assert.equal(itself.code, 2, itself.stderr);
      await same('os');
    });
  });
}
