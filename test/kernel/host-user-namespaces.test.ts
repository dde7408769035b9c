import assert from 'node:assert/strict';
import { fstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { descriptorPath } from '../../src/host/descriptors.ts';
import { run } from '../../src/host/run.ts';
import { closeNamespaces, type GuestNamespaces, UserNamespaces } from '../../src/host/user-namespaces.ts';

const BASE = 0x7000_0000;
const COUNT = 65_536;

test('user namespaces are made once for each base, also when asked for at the same time', async () => {
  const namespaces = new UserNamespaces();
  const before = children();
  try {
    const [one, again] = await Promise.all([
      namespaces.acquire(BASE, COUNT),
      namespaces.acquire(BASE, COUNT),
    ]);
    assert.equal(one, again);
    await namespaces.warm(BASE + COUNT, COUNT, {});
    const other = await namespaces.acquire(BASE + COUNT, COUNT);
    assert.notEqual(statSync(`/proc/self/fd/${other}`).ino, statSync(`/proc/self/fd/${one}`).ino);
    assert.deepEqual(children(), before, 'the processes that made them are gone');
  } finally {
    namespaces.close();
  }
});

test('the user namespace of a guest has its ids and its limits alone, and is a new one each time', async () => {
  const namespaces = new UserNamespaces();
  const limits = { max_user_namespaces: 7, max_of_no_kernel: 1 };
  const before = children();
  try {
    await namespaces.warm(BASE, COUNT, limits);
    const taken = [
      await namespaces.take(BASE, COUNT, limits),
      await namespaces.take(BASE, COUNT, limits),
      await namespaces.take(BASE, COUNT, { max_user_namespaces: 8 }),
    ];
    assert.deepEqual(children(), before, 'the processes that made them are gone');
    const ids = [0, BASE, COUNT];
    assert.deepEqual(await Promise.all(taken.map(whatItHas)), [
      [7, ...ids, ...ids],
      [7, ...ids, ...ids],
      [8, ...ids, ...ids],
    ]);
    for (const { user, network } of taken) {
      const enter = ['nsenter', `--user=${descriptorPath(user)}`, `--net=${descriptorPath(network)}`];
      // The kernel shows what is below only to who may mount it: root of the user namespace that the network is of.
      const { stdout } = await run([
        ...[...enter, 'unshare', '--mount', 'sh', '-c'],
        'mount -t sysfs sysfs /mnt && cd /mnt/class/net && echo * $(stat -c %u lo/flags) $(cat lo/flags)',
      ]);
      assert.equal(stdout, 'lo 0 0x9\n', 'up, and of the root inside');
    }
    const made = taken.flatMap(({ user, network }) => [user, network]);
    assert.equal(new Set(made.map((fd) => fstatSync(fd).ino)).size, made.length);
    for (const each of taken) closeNamespaces(each);
  } finally {
    namespaces.close();
  }
});

test('nothing is made ahead where that is not wanted', async () => {
  const before = namespacesHeld();
  const namespaces = new UserNamespaces({ ahead: false });
  try {
    await namespaces.warm(BASE, COUNT, {});
    assert.deepEqual(namespacesHeld(), before);
    const taken = await namespaces.take(BASE, COUNT, {});
    assert.equal(namespacesHeld().length, before.length + 2);
    closeNamespaces(taken);
  } finally {
    namespaces.close();
  }
  assert.deepEqual(namespacesHeld(), before);
});

test('a user namespace whose limits cannot be set is none', async () => {
  const namespaces = new UserNamespaces();
  try {
    await assert.rejects(namespaces.take(BASE, COUNT, { max_user_namespaces: -5 }), {
      code: 'host_unfit',
      message: /No namespaces could be made/,
    });
  } finally {
    namespaces.close();
  }
});

/** Its limit of user namespaces, and the numbers of its maps, which are told as they are seen from outside. */
async function whatItHas({ user }: GuestNamespaces): Promise<number[]> {
  const enter = ['nsenter', `--user=${descriptorPath(user)}`];
  const inside = await run([...enter, 'cat', '/proc/sys/user/max_user_namespaces']);
  const sleeper = await run([...enter, 'cat', '/proc/self/uid_map', '/proc/self/gid_map']);
  return `${inside.stdout} ${sleeper.stdout}`.trim().split(/\s+/).map(Number);
}

/** Those to which this process has a descriptor. */
const namespacesHeld = (): string[] =>
  readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return /^(?:user|net):/.test(target) ? [target] : [];
    } catch {
      // The descriptor of the listing itself.
      return [];
    }
  });

const children = (): string[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
