import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Change, HISTORY_LIMIT, type Json, type Store } from '../../src/store/store.ts';

export interface StoreUnderTest {
  readonly store: Store;
  /** Milliseconds that the store's clock is moved forward by. */
  advance(ms: number): void;
  dispose(): Promise<void>;
}

const put = (key: string, value: Json, lease?: string) => ({ type: 'put', key, value, lease }) as const;
const remove = (key: string) => ({ type: 'delete', key }) as const;

async function collect(changes: AsyncIterable<Change>, count: number): Promise<Change[]> {
  const found: Change[] = [];
  for await (const change of changes) {
    found.push(change);
    if (found.length === count) break;
  }
  return found;
}

/** The checks that every store passes. */
export function storeConformance(name: string, open: () => Promise<StoreUnderTest>): void {
  const check = (title: string, body: (subject: StoreUnderTest) => Promise<void>): void => {
    test(title, async () => {
      const subject = await open();
      try {
        await body(subject);
      } finally {
        await subject.dispose();
      }
    });
  };

  describe(`the store ${name}`, () => {
    check('a missing key has no entry, and the first revision is 0', async ({ store }) => {
      assert.equal(await store.get('vps/1'), undefined);
      assert.equal(await store.revision(), 0);
      assert.deepEqual(await store.list(''), []);
    });

    check('a value comes back as it was put, with the revision of its change', async ({ store }) => {
      const value = { text: 'é\u0000\n"', list: [1, null, true, { deep: [] }], number: 1.5e300 };
      assert.deepEqual(await store.transact([], [put('a', value)]), { ok: true, revision: 1 });
      assert.deepEqual(await store.get('a'), { key: 'a', value, revision: 1 });
      await store.transact([], [put('b', 2)]);
      assert.equal((await store.get('a'))?.revision, 1);
    });

    check('an entry does not change when the object that was put does', async ({ store }) => {
      const value = { list: [1] };
      await store.transact([], [put('a', value)]);
      value.list.push(2);
      assert.deepEqual((await store.get('a'))?.value, { list: [1] });
    });

    check('a transaction is applied whole at one revision, or not at all', async ({ store }) => {
      await store.transact([], [put('a', 1), put('b', 1)]);
      const refused = await store.transact(
        [
          { key: 'a', revision: 1 },
          { key: 'b', revision: 9 },
        ],
        [put('a', 2), remove('b'), put('c', 1)],
      );
      assert.deepEqual(refused, { ok: false, revision: 1 });
      assert.deepEqual(
        (await store.list('')).map((entry) => [entry.key, entry.value]),
        [
          ['a', 1],
          ['b', 1],
        ],
      );
      const applied = await store.transact(
        [{ key: 'a', revision: 1 }],
        [put('a', 2), remove('b'), put('c', 1)],
      );
      assert.deepEqual(applied, { ok: true, revision: 2 });
      assert.deepEqual(
        (await store.list('')).map((entry) => [entry.key, entry.revision]),
        [
          ['a', 2],
          ['c', 2],
        ],
      );
    });

    check('revision 0 means that the key must not exist, after a deletion too', async ({ store }) => {
      const absent = [{ key: 'name/web', revision: 0 }];
      assert.equal((await store.transact(absent, [put('name/web', 'first')])).ok, true);
      assert.equal((await store.transact(absent, [put('name/web', 'second')])).ok, false);
      await store.transact([], [remove('name/web')]);
      assert.equal((await store.transact(absent, [put('name/web', 'third')])).ok, true);
      assert.equal((await store.get('name/web'))?.value, 'third');
    });

    check('of many that race for one key exactly one wins', async ({ store }) => {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          store.transact([{ key: 'slot/0', revision: 0 }], [put('slot/0', index)]),
        ),
      );
      assert.equal(answers.filter(({ ok }) => ok).length, 1);
      assert.equal((await store.get('slot/0'))?.revision, 1);
    });

    check('many counters raised by compare-and-swap lose no step', async ({ store }) => {
      const raise = async (): Promise<void> => {
        for (;;) {
          const entry = await store.get('counter');
          const { ok } = await store.transact(
            [{ key: 'counter', revision: entry?.revision ?? 0 }],
            [put('counter', Number(entry?.value ?? 0) + 1)],
          );
          if (ok) return;
        }
      };
      await Promise.all(Array.from({ length: 20 }, raise));
      assert.equal((await store.get('counter'))?.value, 20);
    });

    check('deleting what is not there changes nothing and takes no revision', async ({ store }) => {
      assert.deepEqual(await store.transact([], [remove('a')]), { ok: true, revision: 0 });
      assert.deepEqual(await store.transact([], []), { ok: true, revision: 0 });
    });

    check('a prefix finds the keys that start with it, in the order of their bytes', async ({ store }) => {
      const keys = [
        'a',
        'a/',
        'a/1',
        'a/10',
        'a/2',
        'a/\u{1f600}',
        'a/\uffff',
        'a/é',
        'a0',
        'b',
        'A',
        'a/%',
        'a/_',
      ];
      await store.transact(
        [],
        keys.map((key) => put(key, key)),
      );
      const found = (await store.list('a/')).map((entry) => entry.key);
      assert.deepEqual(found, ['a/', 'a/%', 'a/1', 'a/10', 'a/2', 'a/_', 'a/é', 'a/\uffff', 'a/\u{1f600}']);
      assert.deepEqual(
        (await store.list('a/_')).map((entry) => entry.key),
        ['a/_'],
      );
      assert.equal((await store.list('')).length, keys.length);
      assert.deepEqual(await store.list('zzz'), []);
    });

    check('a prefix that ends in the last characters of Unicode still ends', async ({ store }) => {
      await store.transact(
        [],
        [put('\u{10ffff}x', 1), put('\ud7ffx', 2), put('\ue000', 3), put('y\u{10ffff}', 4)],
      );
      const keys = async (prefix: string) => (await store.list(prefix)).map((entry) => entry.value);
      assert.deepEqual(await keys('\u{10ffff}'), [1]);
      assert.deepEqual(await keys('\ud7ff'), [2]);
      assert.deepEqual(await keys('y\u{10ffff}'), [4]);
    });

    check('keys that no store can hold are refused, and nothing is changed', async ({ store }) => {
      for (const key of ['', 'a\0b', '\ud800', 'x'.repeat(1025)]) {
        await assert.rejects(store.transact([], [put('good', 1), put(key, 1)]), TypeError);
        await assert.rejects(store.get(key), TypeError);
      }
      assert.deepEqual(await store.list(''), []);
      await store.transact([], [put('x'.repeat(1024), 1), put("'; DROP TABLE entries; --", 2)]);
      assert.equal((await store.list('')).length, 2);
    });

    check('a value of eight million characters comes back whole', async ({ store }) => {
      const value = 'ü'.repeat(4_000_000) + 'x'.repeat(4_000_000);
      await store.transact([], [put('big', value)]);
      assert.ok((await store.get('big'))?.value === value);
    });

    check('a watch gives the past after a revision in order, then what comes', async ({ store }) => {
      await store.transact([], [put('a/1', 1)]);
      await store.transact([], [put('a/2', 2), put('other', 0), put('a/3', 3)]);
      await store.transact([], [remove('a/1')]);
      const following = collect(store.watch('a/', 1, new AbortController().signal), 5);
      await store.transact([], [put('b', 0)]);
      await store.transact([], [put('a/2', 'new')]);
      await store.transact([], [put('a/4', 4)]);
      assert.deepEqual(await following, [
        { revision: 2, key: 'a/2', value: 2 },
        { revision: 2, key: 'a/3', value: 3 },
        { revision: 3, key: 'a/1', value: undefined },
        { revision: 5, key: 'a/2', value: 'new' },
        { revision: 6, key: 'a/4', value: 4 },
      ]);
    });

    check('every watch sees every change of many writers, in rising order', async ({ store }) => {
      const watches = [1, 2, 3].map(() => collect(store.watch('', 0, new AbortController().signal), 100));
      await Promise.all(
        Array.from({ length: 100 }, (_, index) => store.transact([], [put(`k/${index}`, index)])),
      );
      for (const changes of await Promise.all(watches)) {
        assert.deepEqual(
          changes.map((change) => change.revision),
          Array.from({ length: 100 }, (_, index) => index + 1),
        );
      }
    });

    check('a watch ends when it is aborted and when the store closes', async ({ store }) => {
      const controller = new AbortController();
      const aborted = collect(store.watch('', 0, controller.signal), 1);
      const closed = collect(store.watch('', 0, new AbortController().signal), 1);
      controller.abort();
      assert.deepEqual(await aborted, []);
      await store.close();
      assert.deepEqual(await closed, []);
    });

    check('a watch from before what is remembered says so', async ({ store }) => {
      await Promise.all(
        Array.from({ length: 2 * HISTORY_LIMIT + 1 }, (_, index) => store.transact([], [put('k', index)])),
      );
      await assert.rejects(collect(store.watch('', 0, new AbortController().signal), 1), RangeError);
      const now = await store.revision();
      assert.equal(
        (await collect(store.watch('', now - 100, new AbortController().signal), 100)).length,
        100,
      );
    });

    check(
      'keys under a lease live while it is kept alive, and vanish with it',
      async ({ store, advance }) => {
        const lease = await store.grantLease(10_000);
        await store.transact([], [put('member/a', 1, lease), put('stays', 1)]);
        advance(9_000);
        assert.equal(await store.keepAlive(lease), true);
        advance(9_000);
        assert.equal((await store.get('member/a'))?.value, 1);
        advance(1_001);
        assert.equal(await store.get('member/a'), undefined);
        assert.equal((await store.get('stays'))?.value, 1);
        assert.equal(await store.keepAlive(lease), false);
        await assert.rejects(store.transact([], [put('member/a', 1, lease)]), RangeError);
        const [change] = await collect(store.watch('member/', 1, new AbortController().signal), 1);
        assert.deepEqual(change, { revision: 2, key: 'member/a', value: undefined });
      },
    );

    check('a revoked lease takes its keys at once; one put again without it stays', async ({ store }) => {
      const lease = await store.grantLease(60_000);
      await store.transact([], [put('a', 1, lease), put('b', 1, lease)]);
      await store.transact([], [put('b', 2)]);
      await store.revokeLease(lease);
      assert.deepEqual(
        (await store.list('')).map((entry) => entry.key),
        ['b'],
      );
      assert.equal(await store.keepAlive(lease), false);
    });

    check('a watch hears of a lease that ends by itself', async ({ store }) => {
      const lease = await store.grantLease(30);
      await store.transact([], [put('a', 1, lease)]);
      const [change] = await collect(store.watch('', 1, new AbortController().signal), 1);
      assert.deepEqual(change, { revision: 2, key: 'a', value: undefined });
    });

    check('a lease ends by itself although the clock was set back', async ({ store, advance }) => {
      const lease = await store.grantLease(30);
      await store.transact([], [put('a', 1, lease)]);
      advance(-40);
      const [change] = await collect(store.watch('', 1, new AbortController().signal), 1);
      assert.deepEqual(change, { revision: 2, key: 'a', value: undefined });
    });
  });
}
