import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readDatabase, WriteLoad } from '../support/guest-database.ts';
import { ITS_LONG_FORM, LONG_FORM } from '../support/long-form.ts';
import { NESTED_KINDS, type NestedKind } from '../support/nested/kinds.ts';
import { NestedDoor } from '../support/nested/nested-door.ts';
import { NestedHost } from '../support/nested/nested-host.ts';
import { unfitForNested } from '../support/nested/template.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { QUICK_IMAGE } from '../support/test-image.ts';

const DESTROY_MS = 300_000;
const ANSWER_MS = 900_000;
/** Of an image and a disk, by the processor that the guest writes with. */
const BACKUP = { timeoutMs: 2_400_000 };
const REPOSITORY = '/root/repository';
/** What is left of a server whose daemon, guests, pool and store are gone. */
const DESTROY = `systemctl kill --signal=KILL mullion; systemctl stop mullion
for domain in $(xl list 2>/dev/null | awk 'NR > 2 { print $2 }'); do xl destroy $domain; done
for pid in $(pidof qemu-system-x86_64); do kill -9 $pid; done
umount --recursive --lazy /var/lib/mullion/pool
rm -rf /var/lib/mullion /run/mullion; test ! -e /var/lib/mullion`;

const LAUNCH = ['launch', 'quick', 'data', '--memory', '256M', '--disk', '1G', '--technique'] as const;

interface Scene {
  readonly kind: NestedKind;
  readonly technique: 'hardware' | 'para';
  launch(door: NestedDoor): Promise<void>;
}

const SCENES: readonly Scene[] = [
  {
    kind: NESTED_KINDS.kvm,
    technique: 'hardware',
    launch: async (door) => {
      await door.ok([...LAUNCH, 'hardware']);
    },
  },
  {
    kind: NESTED_KINDS.xen,
    technique: 'para',
    // The small first process of this image knows no channel of Xen.
    launch: async (door) => {
      await door.ok([...LAUNCH, 'os']);
      await door.inside('data', 'touch /etc/whole-system');
      await door.ok(['convert', 'data', '--technique', 'para']);
      await door.answers('data', ANSWER_MS);
      // The rest of the one processor is the host's, for the backup.
      await door.ok(['set', 'data', 'cpus=0.3']);
    },
  },
];

if (!enterPrivateNetns(import.meta.url)) {
  // The inner process has the tests.
} else if (!LONG_FORM) {
  test('databases of hardware and para survive the loss of their hosts', (t) => t.skip(ITS_LONG_FORM));
} else {
  for (const { kind, technique, launch } of SCENES) {
    test(`${technique}: a database under load survives the loss of its host`, async (t) => {
      const unfit = await unfitForNested(kind);
      if (unfit !== undefined) return t.skip(unfit);
      await using host = await NestedHost.clone(kind);
      const door = new NestedDoor(host);
      const folder = mkdtempSync(join(tmpdir(), 'mullion-disaster-'));
      t.after(() => rmSync(folder, { recursive: true }));
      const keyFile = join(folder, 'key');
      let promised = Number.POSITIVE_INFINITY;
      let backup = '';

      await host.check(t, 'it is snapshot, copied and backed up while it is written to', async () => {
        await host.startDaemon();
        await host.ok('touch /var/cache/mullion/apt/*/updated');
        await door.ok(['image', 'build', ...QUICK_IMAGE]);
        await door.ok(['backup', 'repo', 'add', 'disk', REPOSITORY]);
        writeFileSync(keyFile, await door.ok(['backup', 'repo', 'key', 'disk']), { mode: 0o600 });
        await launch(door);
        await door.answers('data', ANSWER_MS);
        let early: number;
        {
          await using load = await WriteLoad.start(door, 'data');
          early = load.acknowledged;
          await door.ok(['snapshot', 'create', 'data', 'early']);
          promised = load.acknowledged;
          await door.ok(['backup', 'create', 'data'], BACKUP);
          assert.ok(load.acknowledged > promised, 'it went on while it was backed up');
        }
        const list: { id: string }[] = JSON.parse(await door.ok(['backup', 'list', 'data', '--json']));
        backup = list.at(-1)?.id ?? '';
        await door.ok(['stop', 'data', '--force']);
        await door.ok(['copy', 'data/early', 'copy', '--start']);
        await door.answers('copy', ANSWER_MS);
        const copied = await readDatabase(door, 'copy');
        t.diagnostic(
          `${technique}: ${early} commits acknowledged before the snapshot, ${copied.last} in its copy`,
        );
        assert.equal(copied.integrity, 'ok');
        assert.ok(copied.last >= early && copied.count === copied.last, JSON.stringify(copied));
      });

      await host.check(
        t,
        'no acknowledged commit is lost on a host that has the repository alone',
        async () => {
          await host.ok(DESTROY, DESTROY_MS);
          await host.startDaemon();
          assert.equal((await door.ok(['list', '--json'])).trim(), '[]');
          await door.ok(['backup', 'repo', 'add', 'found', REPOSITORY, '--key', keyFile]);
          await door.ok(['backup', 'restore', backup], BACKUP);
          await door.answers('data', ANSWER_MS);
          const { technique: restored } = await host.client.call('vps.info', { params: { name: 'data' } });
          assert.equal(restored, technique);
          const found = await readDatabase(door, 'data');
          t.diagnostic(
            `${technique}: ${promised} commits acknowledged before the backup, ${found.last} restored`,
          );
          assert.equal(found.integrity, 'ok');
          assert.ok(found.last >= promised && found.count === found.last, JSON.stringify(found));
        },
      );
    });
  }
}
