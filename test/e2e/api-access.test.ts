import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { describe } from 'node:test';
import type { Client } from '../../src/client/client.ts';
import type { MullionError } from '../../src/contract/error-table.ts';
import { attempt } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { GUESS, refused, secured } from '../support/secure-api.ts';

const forbidden = refused('forbidden');
const launch = (client: Client, name: string, project?: string) =>
  client.call('vps.launch', {
    query: { wait: 5, ...(project === undefined ? {} : { project }) },
    body: { image: 'debian/12', name },
  });

describe('a token', () => {
  secured('of one project works there as if there were no other', async ({ api, token }) => {
    for (const name of ['shop', 'bank']) {
      await api.client.call('projects.create', { body: { name } });
      await launch(api.client, `${name}-vps`, name);
    }
    const shop = await token({ name: 'shop-ci', scope: 'project', project: 'shop' });
    assert.deepEqual(
      (await shop.call('vps.list')).map(({ name }) => name),
      ['shop-vps'],
    );
    const task = await launch(shop, 'mine');
    assert.equal((await shop.call('tasks.info', { params: { id: task.id } })).state, 'done');

    const query = { project: 'bank' };
    const theirs = await launch(api.client, 'theirs', 'bank');
    const attempts: Record<string, () => Promise<unknown>> = {
      list: () => shop.call('vps.list', { query }),
      delete: () =>
        shop.call('vps.delete', { params: { name: 'bank-vps' }, query: { ...query, force: 'true' } }),
      exec: () => shop.socket('vps.exec', { params: { name: 'bank-vps' }, query }),
      file: () =>
        shop.stream('files.pull', { params: { name: 'bank-vps' }, query: { ...query, path: '/etc/shadow' } }),
      task: () => shop.call('tasks.info', { params: { id: theirs.id } }),
      cancel: () => shop.call('tasks.cancel', { params: { id: theirs.id } }),
      transfer: () => shop.stream('images.download', { params: { task: theirs.id } }),
      events: () => shop.events({ query }),
      projects: () => shop.call('projects.list'),
      pools: () => shop.call('pools.list'),
      doctor: () => shop.call('doctor.run'),
      tokens: () => shop.call('tokens.list'),
      audit: () => shop.call('audit.list'),
      promotion: () => shop.call('tokens.create', { body: { name: 'more', scope: 'admin' } }),
      folder: () => shop.call('backups.addRepository', { body: { name: 'x', url: '/etc' } }),
      fetch: () => shop.call('images.pull', { body: { reference: '127.0.0.1/x:1', name: 'x' } }),
    };
    for (const [what, ask] of Object.entries(attempts)) await assert.rejects(ask(), forbidden, what);

    const ending = new AbortController();
    const heard: string[] = [];
    const reading = (async () => {
      for await (const { project } of await shop.events({ signal: ending.signal })) heard.push(project);
    })().catch(() => undefined);
    await launch(api.client, 'loud', 'bank');
    await launch(shop, 'quiet');
    await eventually('an event comes', () => heard.length > 0);
    ending.abort();
    await reading;
    assert.deepEqual([...new Set(heard)], ['shop']);
  });

  secured('that only reads changes nothing and gets no secrets', async ({ api, token }) => {
    await launch(api.client, 'web');
    const reader = await token({ name: 'watch' });
    assert.equal((await reader.call('vps.list')).length, 1);
    assert.equal((await reader.call('projects.list')).length, 1);
    const params = { name: 'web' };
    for (const ask of [
      () => launch(reader, 'more'),
      () => reader.call('vps.stop', { params, body: {} }),
      () => reader.socket('vps.exec', { params }),
      () => reader.socket('vps.console', { params }),
      () => reader.stream('files.pull', { params, query: { path: '/etc/shadow' } }),
      () => reader.stream('vps.logs', { params }),
      () => reader.call('backups.repositoryKey', { params: { name: 'nas' } }),
      () => reader.call('tokens.list'),
    ])
      await assert.rejects(ask(), forbidden);
  });

  secured('that is deleted is refused at once', async ({ api, token }) => {
    const admin = await token({ name: 'ops', scope: 'admin' });
    assert.deepEqual(await admin.call('vps.list'), []);
    await admin.call('tokens.delete', { params: { name: 'ops' } });
    await assert.rejects(admin.call('vps.list'), refused('unauthenticated'));
    assert.deepEqual(await api.client.call('tokens.list'), []);
  });

  secured('that is guessed at is soon told so, and no valid one is', async ({ api, bearer, token }) => {
    const admin = await token({ name: 'ops', scope: 'admin' });
    const codes: string[] = [];
    for (let number = 0; number < 80; number += 1) {
      await bearer(GUESS)
        .call('vps.list')
        .catch((error: MullionError) => codes.push(error.code));
    }
    assert.equal(codes.length, 80);
    assert.equal(codes[0], 'unauthenticated');
    assert.ok(codes.includes('too_many_requests'));
    assert.deepEqual(await admin.call('vps.list'), [], 'it comes from the same address');
    assert.deepEqual(await api.client.call('vps.list'), []);
  });

  secured(
    'that asks too often is slowed down, and no other',
    async ({ token }) => {
      const [busy, calm] = [await token({ name: 'busy' }), await token({ name: 'calm' })];
      const answers = await Promise.allSettled(Array.from({ length: 60 }, () => busy.call('vps.list')));
      const rejected = answers.filter((answer) => answer.status === 'rejected');
      assert.ok(rejected.length >= 30, `${rejected.length} of 60 were refused`);
      for (const { reason } of rejected) assert.ok(refused('too_many_requests')(reason));
      assert.deepEqual(await calm.call('vps.list'), []);
    },
    { limits: { requests: { rate: 1, burst: 10 } } },
  );
});

describe('the audit log', () => {
  secured('says who changed what and how it ended, and holds no secret', async ({ api, token }) => {
    const admin = await token({ name: 'ops', scope: 'admin' });
    const reader = await token({ name: 'watch' });
    const body = { image: 'debian/12', name: 'web', env: { PASSWORD: 'hunter2' } };
    await admin.call('vps.launch', { query: { wait: 5 }, body });
    await assert.rejects(
      reader.call('vps.delete', { params: { name: 'web' }, query: { force: 'true' } }),
      forbidden,
    );
    await assert.rejects(admin.call('vps.start', { params: { name: 'ghost' } }), refused('not_found'));
    const socket = await admin.socket('vps.exec', { params: { name: 'web' } });
    socket.close();
    await admin.call('vps.list');
    const entries = await api.client.call('audit.list');
    const seen = entries
      .map(({ who, verb, object, outcome }) => `${who.replace(/\/.*/, '')} ${verb} ${object} ${outcome}`)
      .sort();
    assert.deepEqual(seen, [
      'mullion vps.launch web done',
      'token:ops vps.exec web done',
      'token:ops vps.launch web begun',
      'token:ops vps.start ghost not_found',
      'token:watch vps.delete web forbidden',
      'uid:0 tokens.create ops done',
      'uid:0 tokens.create watch done',
    ]);
    assert.ok(entries.every(({ from, who }) => (who.startsWith('token') ? from === '127.0.0.1' : true)));
    assert.doesNotMatch(JSON.stringify(entries), /hunter2|PASSWORD|mullion_[0-9a-f]{16}_/);
  });
});

describe('TLS', () => {
  secured('takes only authenticated encryption with forward secrecy, from version 1.2', async ({ port }) => {
    const shake = async (...options: string[]) => {
      const client = ['openssl', 's_client', '-connect', `127.0.0.1:${port}`, ...options];
      const { stdout, stderr } = await attempt(client, '');
      return { stdout, stderr, cipher: /Cipher is (\S+)/.exec(stdout)?.[1] ?? '(NONE)' };
    };
    for (const version of ['-tls1', '-tls1_1']) {
      assert.equal((await shake(version, '-cipher', 'ALL:@SECLEVEL=0')).cipher, '(NONE)', version);
    }
    for (const weak of [
      'AES128-GCM-SHA256',
      'ECDHE-ECDSA-AES128-SHA256',
      'ECDHE-ECDSA-AES256-SHA',
      'ALL:!AESGCM:!CHACHA20',
    ]) {
      assert.equal((await shake('-tls1_2', '-cipher', `${weak}:@SECLEVEL=0`)).cipher, '(NONE)', weak);
    }
    assert.match((await shake('-tls1_2')).cipher, /^ECDHE-ECDSA-(AES256-GCM|CHACHA20)/);
    const newest = await shake('-tls1_3');
    assert.match(newest.cipher, /^TLS_/);
    assert.match(newest.stdout, /Compression: NONE/);
    const again = await attempt(
      ['sh', '-c', `(sleep 0.3; echo R; sleep 0.5) | openssl s_client -tls1_2 -connect 127.0.0.1:${port}`],
      '',
    );
    assert.match(again.stderr, /RENEGOTIATING[\s\S]*:no renegotiation:/);
  });

  secured('answers tell browsers to stay with it', async ({ url, api }) => {
    const { token } = await api.client.call('tokens.create', { body: { name: 'ops' } });
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` };
      get(`${url}/v1`, { headers, rejectUnauthorized: false }, resolve).on('error', reject);
    });
    response.resume();
    assert.equal(response.statusCode, 200);
    assert.equal(response.headers['strict-transport-security'], 'max-age=31536000');
    assert.equal(response.headers['x-content-type-options'], 'nosniff');
  });
});
