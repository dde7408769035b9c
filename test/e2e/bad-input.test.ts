import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { PLAIN } from '../support/test-image.ts';
import { listVps } from './verbs.ts';

interface Case {
  readonly why: string;
  readonly args: readonly string[];
  readonly code: number;
  /** What the message must name. */
  readonly names: RegExp;
}

const CASES: readonly Case[] = [
  { why: 'an unknown command', args: ['lunch', 'quick'], code: 2, names: /lunch[\s\S]*launch/ },
  {
    why: 'an unknown flag',
    args: ['launch', 'quick', '--memry', '1G'],
    code: 2,
    names: /--memry[\s\S]*--memory/,
  },
  { why: 'a missing argument', args: ['launch'], code: 2, names: /IMAGE/i },
  {
    why: 'a flag without its value',
    args: ['launch', 'quick', 'a', '--memory'],
    code: 2,
    names: /--memory/,
  },
  { why: 'a name with a capital', args: ['launch', 'quick', 'Web'], code: 2, names: /lower-case/ },
  {
    why: 'a name with a path trick',
    args: ['launch', 'quick', '../etc'],
    code: 2,
    names: /lower-case|name/,
  },
  { why: 'a name of 64 characters', args: ['launch', 'quick', 'a'.repeat(64)], code: 2, names: /63/ },
  {
    why: 'a size that is none',
    args: ['launch', 'quick', 'a', '--memory', 'lots'],
    code: 2,
    names: /lots[\s\S]*256M/,
  },
  { why: 'too little memory', args: ['launch', 'quick', 'a', '--memory', '1M'], code: 2, names: /16M/ },
  { why: 'negative processors', args: ['launch', 'quick', 'a', '--cpus', '-1'], code: 2, names: /cpus/ },
  {
    why: 'a technique that is none',
    args: ['launch', 'quick', 'a', '--technique', 'magic'],
    code: 2,
    names: /os/,
  },
  { why: 'an image that is not there', args: ['launch', 'debian/99', 'a'], code: 2, names: /debian\/99/ },
  {
    why: 'a network that is not there',
    args: ['launch', 'quick', 'a', '--network', 'nowhere'],
    code: 2,
    names: /nowhere/,
  },
  {
    why: 'a project that is not there',
    args: ['launch', 'quick', 'a', '--project', 'nobody'],
    code: 2,
    names: /nobody/,
  },
  { why: 'a VPS that is not there', args: ['info', 'ghost'], code: 2, names: /ghost/ },
  {
    why: 'a port out of range',
    args: ['forward', 'add', 'here', '70000:80'],
    code: 2,
    names: /70000|65,?535/,
  },
  {
    why: 'a forward that is none',
    args: ['forward', 'add', 'here', 'abc'],
    code: 2,
    names: /HOSTPORT:VPSPORT/,
  },
  {
    why: 'a property that is none',
    args: ['set', 'here', 'colour=red'],
    code: 2,
    names: /colour[\s\S]*memory/,
  },
  { why: 'a disk below the least', args: ['set', 'here', 'disk=8M'], code: 2, names: /disk[\s\S]*16M/i },
  {
    why: 'a technique that this host cannot run',
    args: ['launch', 'quick', 'a', '--technique', 'para'],
    code: 3,
    names: /para|Xen/,
  },
  {
    why: 'more memory than there is',
    args: ['launch', 'quick', 'a', '--memory', '900T'],
    code: 3,
    names: /memory/,
  },
  {
    why: 'more disk than there is',
    args: ['launch', 'quick', 'a', '--disk', '900T'],
    code: 3,
    names: /disk|space|pool/,
  },
  {
    why: 'more processors than there are',
    args: ['launch', 'quick', 'a', '--cpus', '1000'],
    code: 3,
    names: /processor|cpus/,
  },
  { why: 'a path that is not absolute', args: ['file', 'list', 'here', 'etc'], code: 2, names: /absolute/ },
  { why: 'a path that climbs', args: ['file', 'list', 'here', '/root/../etc'], code: 2, names: /\.\./ },
];

if (enterPrivateNetns(import.meta.url)) {
  test('bad input gets one message with its remedy, and changes nothing', async (t) => {
    await using daemon = await TestDaemon.start('bad-input');
    await daemon.ensureQuickImage();
    const small = [...PLAIN, '--technique', 'os', '--memory', '128M', '--disk', '512M'];
    await daemon.ok(['launch', 'quick', 'here', ...small]);
    await eventually(
      'what it was made with has left the host',
      async () => !(await daemon.inventory()).mounts.some((mount) => mount.includes('/container/')),
    );
    const before = await daemon.inventory();

    const asDocument = new Set<string>();
    for (const { why, args, code, names } of CASES) {
      await daemon.check(t, `${why}: exit ${code}`, async () => {
        const plain = await daemon.cli(args);
        assert.equal(plain.code, code, plain.stdout + plain.stderr);
        assert.match(plain.stderr, names);
        assert.equal(plain.stdout, '');
        assert.doesNotMatch(plain.stderr, /at .*\.(ts|js):\d+/, 'no stack trace');
        // Each command has one way to tell what is wrong, for each exit code.
        const way = `${args[0]} ${code}`;
        if (asDocument.has(way)) return;
        asDocument.add(way);
        const json = await daemon.cli([...args.slice(0, 1), '--json', ...args.slice(1)]);
        assert.equal(json.code, code);
        const document: unknown = JSON.parse(json.stdout);
        assert.ok(typeof document === 'object' && document !== null && 'error' in document);
        const { error } = document;
        assert.ok(typeof error === 'object' && error !== null);
        assert.deepEqual(Object.keys(error).sort(), ['code', 'details', 'message', 'remedy']);
      });
    }

    await daemon.check(t, 'none of it created anything', async () => {
      assert.deepEqual(
        (await listVps(daemon)).map(({ name }) => name),
        ['here'],
      );
      const after = await daemon.inventory();
      assert.deepEqual(after.subvolumes, before.subvolumes);
      assert.deepEqual(after.links, before.links);
      assert.deepEqual(after.mounts, before.mounts);
    });

    await daemon.check(
      t,
      'of two launches of one name at once, one wins and one gets already_exists',
      async () => {
        const twins = await Promise.all(
          [0, 1].map(() => daemon.cli(['launch', 'quick', 'twin', '--json', ...small])),
        );
        assert.deepEqual(twins.map(({ code }) => code).sort(), [0, 2]);
        assert.match(twins.find(({ code }) => code === 2)?.stdout ?? '', /"already_exists"/);
      },
    );

    await daemon.check(t, 'raw requests that are wrong get a 4xx, never a 5xx', async () => {
      const cases: readonly (readonly [string, string, string, number])[] = [
        ['POST', '/v1/vps', '{not json', 400],
        ['POST', '/v1/vps', '{"image":"quick","colour":"red"}', 400],
        ['POST', '/v1/vps', '{"image":"quick","name":"a\\u0000b"}', 400],
        ['POST', '/v1/vps', '[]', 400],
        ['POST', '/v1/vps', 'null', 400],
        ['POST', '/v1/vps', `{"image":"${'x'.repeat(8 * 1024 * 1024)}"}`, 413],
        ['GET', '/v1/vps/..%2f..%2fetc', '', 400],
        ['GET', '/v1/vps/here/files/list?path=%2Fetc%2F..%2Froot', '', 400],
        ['GET', '/v1/vps/here/files/list?path=%2Fa%00b', '', 400],
        ['GET', '/v1/vps?colour=red', '', 400],
        ['GET', '/v1/%ff', '', 404],
        ['GET', '/nowhere', '', 404],
        ['PUT', '/v1/vps', '{}', 405],
      ];
      for (const [method, path, body, expected] of cases) {
        const status = await rawStatus(daemon.socket, method, path, body);
        const label = `${method} ${path} ${body.slice(0, 60)}: ${status}`;
        if (expected === 404) assert.ok(status === 404 || status === 400, label);
        else assert.equal(status, expected, label);
      }
    });

    await daemon.check(t, 'without a daemon every command exits 6', async () => {
      await daemon.stop();
      const result = await daemon.cli(['list']);
      assert.equal(result.code, 6);
      assert.match(result.stderr, /mullion daemon start/);
    });
  });
}

function rawStatus(socketPath: string, method: string, path: string, body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers =
      body === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const outgoing = request({ socketPath, method, path, headers, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
