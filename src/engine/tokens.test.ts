import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { check, failsWith, World } from '../../test/support/engine-world.ts';
import { CreateTokenRequestSchema } from '../contract/tokens.ts';

const asked = (changes: Record<string, unknown> = {}) =>
  CreateTokenRequestSchema.parse({ name: 'ci', scope: 'admin', ...changes });

describe('a token', () => {
  check('is known by its secret alone, and only until it is deleted', async (_world, engine) => {
    const { token, id } = await engine.tokens.create(asked(), 'uid:0');
    assert.deepEqual(engine.tokens.verify(token), {
      who: `token:ci/${id}`,
      scope: 'admin',
      project: null,
      local: false,
    });
    const other = await engine.tokens.create(asked({ name: 'other' }), 'uid:0');
    const swapped = `${token.slice(0, 24)}_${other.token.slice(-43)}`;
    for (const wrong of ['', 'x', token.slice(0, -1), `${token}x`, `${token.slice(0, -1)}A`, swapped]) {
      if (wrong !== token) assert.equal(engine.tokens.verify(wrong), undefined, wrong);
    }
    await engine.tokens.delete('ci');
    assert.equal(engine.tokens.verify(token), undefined);
    await assert.rejects(engine.tokens.delete('ci'), failsWith('not_found'));
  });

  check(
    'is kept as a hash: its secret is nowhere in the store, the list or the audit log',
    async (world, engine) => {
      const { token } = await engine.tokens.create(asked(), 'uid:0');
      const secret = token.slice(-43);
      const kept = JSON.stringify([
        await world.store.list(''),
        await engine.tokens.list(),
        await world.audit.tail(100),
      ]);
      assert.ok(kept.includes('"ci"'));
      assert.ok(!kept.includes(secret));
    },
  );

  check('of a project needs one that is there, and no other has one', async (_world, engine) => {
    await assert.rejects(
      engine.tokens.create(asked({ scope: 'project', project: 'ghost' }), 'uid:0'),
      failsWith('not_found'),
    );
    assert.throws(() => asked({ scope: 'project' }));
    assert.throws(() => asked({ scope: 'admin', project: 'default' }));
  });

  test('expires, and outlives a restart of the daemon', async () => {
    using world = new World();
    let time = Date.parse('2026-01-01T00:00:00Z');
    const clock = () => new Date(time);
    const engine = await world.open({ clock });
    const { token, expiresAt } = await engine.tokens.create(asked({ lifetime: 3600 }), 'uid:0');
    assert.equal(expiresAt, '2026-01-01T01:00:00.000Z');
    await assert.rejects(engine.tokens.create(asked(), 'uid:0'), failsWith('already_exists'));
    await engine.close();
    const again = await world.open({ clock });
    assert.ok(again.tokens.verify(token) !== undefined);
    time += 3_600_000;
    assert.equal(again.tokens.verify(token), undefined);
    const next = await again.tokens.create(asked(), 'uid:0');
    assert.notEqual(next.token, token, 'the name of one that has expired is free');
    await again.close();
  });
});
