import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { asMullionError } from '../../src/contract/errors.ts';
import type { ImageProgram } from '../../src/contract/resources.ts';
import { hostFacts } from '../../src/host/facts.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import type { RefusedReason } from '../../src/images/import/refused.ts';
import { craftTar, HONEST, type Member } from '../support/crafted-archive.ts';
import { ImageArchiveCraft } from '../support/image-archive.ts';
import { ImageShop } from '../support/image-shop.ts';

const missing = ['crun', 'skopeo', 'umoci', 'tar', 'getfattr'].filter((name) => !hasProgram(name));
const skip = missing.length === 0 ? false : `these programs are not installed: ${missing.join(', ')}`;
const { architecture } = hostFacts();
const MIB = 1024 ** 2;
const ESCAPED = 'mullion-escaped';

type Layers = readonly (readonly Member[])[];

/** An archive of one image; the first layer is an honest root file system before what is given. */
function imageOf([first = [], ...others]: Layers, config: object = {}): Buffer {
  const craft = new ImageArchiveCraft();
  const layers = [[...HONEST, ...first], ...others].map((members) => craftTar(members));
  return craft.oci([craft.layered(layers, { architecture, ...config })]);
}

/** A folder outside of all images, and what must still be in it. */
function plantCanary(shop: ImageShop): { readonly path: string; check(): void } {
  const path = join(shop.path, 'canary');
  mkdirSync(path);
  writeFileSync(join(path, 'file'), 'untouched');
  return {
    path,
    check: () => {
      assert.deepEqual(readdirSync(path), ['file']);
      const file = join(path, 'file');
      assert.deepEqual([readFileSync(file, 'utf8'), lstatSync(file).nlink], ['untouched', 1]);
      for (const folder of ['/etc', '/tmp', '/', shop.path, join(shop.path, 'pool')])
        assert.ok(!existsSync(join(folder, ESCAPED)), folder);
    },
  };
}

async function refuses(shop: ImageShop, bytes: Buffer, reason: RefusedReason, says: RegExp): Promise<void> {
  const failure = await shop.take(bytes).then(
    ({ record }) => assert.fail(`it became the image ${record.id}`),
    (thrown: unknown) => asMullionError(thrown),
  );
  assert.equal(failure.code, 'image_refused', `${failure.message} ${String(failure.cause)}`);
  assert.equal(failure.details.reason, reason, failure.message);
  assert.match(failure.message, says);
  assert.doesNotMatch(failure.message, /[\x00-\x1f\x7f-\x9f]/);
  assert.deepEqual([shop.left(), shop.store.list()], [[], []]);
}

/** Takes an image that is harmless, shows its files, and deletes it. */
async function takes(
  shop: ImageShop,
  bytes: Buffer,
  look: (root: string, program: ImageProgram | null) => void | Promise<void>,
): Promise<void> {
  const { record } = await shop.take(bytes);
  await look(shop.store.files(record.id).rootfs ?? '', record.program);
  await shop.store.delete(record.id);
  assert.deepEqual(shop.left(), []);
}

const REFUSED: readonly (readonly [string, RefusedReason, RegExp, Layers])[] = [
  ['a path that climbs out', 'path', /leads outside/, [[], [{ name: `../../${ESCAPED}`, content: 'x' }]]],
  [
    'a path that climbs out in the middle',
    'path',
    /outside/,
    [[], [{ name: `etc/../../${ESCAPED}`, content: 'x' }]],
  ],
  ['an absolute path', 'path', /root of the host/, [[], [{ name: `/tmp/${ESCAPED}`, content: 'x' }]]],
  [
    'a file written through a link of its own layer',
    'link',
    /through a link/,
    [
      [],
      [
        { name: 'out', type: '2', link: '/etc' },
        { name: `out/${ESCAPED}`, content: 'x' },
      ],
    ],
  ],
  [
    'a hard link that climbs out',
    'path',
    /outside/,
    [[], [{ name: 'shadow', type: '1', link: '../../../etc/hostname' }]],
  ],
  [
    'a hard link to a file of the host',
    'path',
    /root of the host/,
    [[], [{ name: 'shadow', type: '1', link: '/etc/hostname' }]],
  ],
  [
    'a hard link to what no layer has brought',
    'damaged',
    /umoci/,
    [[], [{ name: 'shadow', type: '1', link: 'no/such' }]],
  ],
  ['a whiteout of the folder above', 'path', /takes away/, [[], [{ name: 'etc/.wh...' }]]],
  ['a whiteout of what is above the root', 'path', /takes away/, [[], [{ name: '.wh...' }]]],
  ['a whiteout of its own folder', 'path', /takes away/, [[], [{ name: 'etc/.wh..' }]]],
  ['a whiteout of nothing', 'path', /takes away/, [[], [{ name: '.wh.' }]]],
  ['a whiteout that climbs out', 'path', /outside/, [[], [{ name: '../../.wh.canary' }]]],
  ['a whiteout of a path of the host', 'path', /root of the host/, [[], [{ name: '/etc/.wh.passwd' }]]],
  [
    'a whiteout with a name of control characters',
    'name',
    /control characters/,
    [[], [{ name: '.wh.\u001b[2J' }]],
  ],
  [
    'a disk of the host as a device node',
    'device',
    /device node/,
    [[], [{ name: 'disk', type: '4', device: [8, 0] }]],
  ],
  [
    'an owner beyond all ids of a VPS',
    'owner',
    /set-user-ID/,
    [[], [{ name: 'x', mode: 0o4755, uid: 1_879_048_192 }]],
  ],
  [
    "an attribute of overlayfs' own",
    'attribute',
    /user.overlay/,
    [[], [{ name: 'x', pax: { 'SCHILY.xattr.user.overlay.redirect': '/etc' } }]],
  ],
];

test('hostile layers are refused by name, touch nothing outside and leave nothing', { skip }, async (t) => {
  using shop = await ImageShop.open();
  const canary = plantCanary(shop);
  for (const [title, reason, says, layers] of REFUSED) {
    await t.test(title, async () => {
      await refuses(shop, imageOf(layers), reason, says);
      canary.check();
    });
  }
});

test('layers that write through links of layers before stay inside of the image', { skip }, async (t) => {
  using shop = await ImageShop.open();
  const canary = plantCanary(shop);
  const outside = canary.path;
  const through = (link: string, ...members: readonly Member[]): Layers => [
    [{ name: 'out', type: '2', link }],
    members,
  ];
  const up = '../'.repeat(12);
  const cases: readonly (readonly [string, Layers, 'taken' | 'refused'])[] = [
    [
      'by an absolute link to the configuration of the host',
      through('/etc', { name: `out/${ESCAPED}`, content: 'x' }),
      'taken',
    ],
    [
      'by an absolute link to a folder of the host',
      through(outside, { name: 'out/file', content: 'x' }, { name: `out/${ESCAPED}`, content: 'x' }),
      'taken',
    ],
    ['by a relative link', through(`${up}${outside}`, { name: 'out/file', content: 'x' }), 'taken'],
    [
      'by a link to a link',
      [
        [
          { name: 'a', type: '2', link: outside },
          { name: 'out', type: '2', link: 'a' },
        ],
        [{ name: 'out/file', content: 'x' }],
      ],
      'taken',
    ],
    ['as a hard link', through(outside, { name: 'shadow', type: '1', link: 'out/file' }), 'refused'],
    ['as a whiteout', through(outside, { name: 'out/.wh.file' }), 'taken'],
    ['as an opaque whiteout', through(outside, { name: 'out/.wh..wh..opq' }), 'taken'],
    ['as an opaque whiteout of the root', [[], [{ name: '.wh..wh..opq' }]], 'taken'],
    ['as a folder that was a link', through(outside, { name: 'out/', type: '5' }), 'taken'],
    [
      'as a file below a folder with the name of a whiteout',
      [[], [{ name: '.wh./etc/passwd', content: 'x' }]],
      'taken',
    ],
  ];
  for (const [title, layers, outcome] of cases) {
    await t.test(title, async () => {
      if (outcome === 'refused') await refuses(shop, imageOf(layers), 'damaged', /umoci: create rootfs/);
      else await takes(shop, imageOf(layers), () => canary.check());
      canary.check();
    });
  }
});

test('the attributes, owners and modes of all layers arrive', { skip }, async (t) => {
  using shop = await ImageShop.open();
  // linux/capability.h: cap_net_raw, permitted and effective, in revision 2.
  const capability = '\x01\x00\x00\x02\x00\x20'.padEnd(20, '\x00');
  const members: readonly Member[] = [
    { name: 'srv/', type: '5', mode: 0o2775, uid: 33, gid: 34 },
    {
      name: 'srv/ping',
      mode: 0o755,
      gid: 44,
      content: 'ping',
      pax: { 'SCHILY.xattr.user.note': 'kept', 'SCHILY.xattr.security.capability': capability },
    },
    { name: 'srv/tool', mode: 0o6750, uid: 1000, gid: 65_535, content: 'tool' },
    { name: 'srv/drop/', type: '5', mode: 0o1777, pax: { 'SCHILY.xattr.user.note': 'of a folder' } },
  ];
  const look = async (root: string): Promise<void> => {
    const of = (name: string): readonly number[] => {
      const { mode, uid, gid } = lstatSync(join(root, name));
      return [mode & 0o7777, uid, gid];
    };
    assert.deepEqual(['srv', 'srv/ping', 'srv/tool', 'srv/drop', 'home', 'usr/bin/tool'].map(of), [
      [0o2775, 33, 34],
      [0o755, 0, 44],
      [0o6750, 1000, 65_535],
      [0o1777, 0, 0],
      [0o755, 1000, 1000],
      [0o4755, 0, 0],
    ]);
    const attribute = async (name: string, key: string): Promise<string> =>
      (await run(['getfattr', '--only-values', '--absolute-names', '-n', key, join(root, name)])).stdout;
    assert.equal(await attribute('srv/ping', 'user.note'), 'kept');
    assert.equal(await attribute('srv/drop', 'user.note'), 'of a folder');
    assert.equal(await attribute('srv/ping', 'security.capability'), capability);
  };
  await t.test('of an OCI archive', () => takes(shop, imageOf([[], members]), look));
  await t.test('of a root file system', () => takes(shop, craftTar([...HONEST, ...members]), look));
});

test('layers that come to more than is allowed are refused', { skip }, async (t) => {
  using shop = await ImageShop.open({ files: 2000, bytes: 30 * MIB, ratio: 100, ratioFrom: MIB });
  const many = (letter: string): Member[] =>
    Array.from({ length: 1200 }, (_, index) => ({ name: `${letter}${index}` }));
  const large = (name: string): Member => ({ name, content: Buffer.alloc(18 * MIB, 'some text ') });
  await t.test('by the files of all layers together', async () =>
    refuses(shop, imageOf([many('a'), many('b')]), 'too_many_files', /more than 2000 files/),
  );
  await t.test('by their bytes together', async () => {
    using roomy = await ImageShop.open({ bytes: 30 * MIB });
    await refuses(roomy, imageOf([[large('a')], [large('b')]]), 'too_large', /more than/);
  });
  await t.test('as a bomb of zeros', async () =>
    refuses(shop, imageOf([[], [{ name: 'zeros', content: Buffer.alloc(24 * MIB) }]]), 'bomb', /bomb/),
  );
  await t.test('as a sparse file of many terabytes', async () =>
    refuses(
      shop,
      imageOf([
        [],
        [
          {
            name: 'x',
            pax: {
              'GNU.sparse.major': '1',
              'GNU.sparse.minor': '0',
              'GNU.sparse.realsize': '90000000000000',
            },
            content: Buffer.from('1\n0\n0\n'.padEnd(512, '\0')),
          },
        ],
      ]),
      'too_large',
      /more than/,
    ),
  );
});

test('a layout that lies is refused', { skip }, async (t) => {
  using shop = await ImageShop.open();
  const honest = craftTar(HONEST);
  const evil = craftTar([...HONEST, { name: 'backdoor', content: 'x' }]);
  const lie = (make: (craft: ImageArchiveCraft) => object): Buffer => {
    const craft = new ImageArchiveCraft();
    return craft.oci([make(craft)]);
  };
  const named = (bytes: Buffer) => {
    const { digest, size } = new ImageArchiveCraft().layer(bytes);
    return { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size };
  };
  const cases: readonly (readonly [string, RefusedReason, RegExp, Buffer])[] = [
    [
      'with a layer that is not what its digest says',
      'damaged',
      /[Dd]igest/,
      lie((craft) => {
        const layer = named(gzipSync(honest));
        craft.lie(layer, gzipSync(evil));
        return craft.manifest(craft.config([honest], { architecture }), [layer]);
      }),
    ],
    [
      'with a configuration that is not what its digest says',
      'damaged',
      /./,
      lie((craft) => {
        const real = new ImageArchiveCraft().config([honest], { architecture });
        craft.lie(
          real,
          Buffer.from(JSON.stringify({ architecture, os: 'linux', config: { Cmd: ['/evil'] } })),
        );
        return craft.manifest(real, [craft.layer(gzipSync(honest))]);
      }),
    ],
    [
      'with a manifest that is not what its digest says',
      'damaged',
      /./,
      lie((craft) => {
        const real = new ImageArchiveCraft().layered([honest], { architecture });
        const other = craft.manifest(craft.config([evil], { architecture }), [craft.layer(gzipSync(evil))]);
        craft.lie(real, Buffer.from(JSON.stringify(other)));
        return real;
      }),
    ],
    [
      'with a layer that is not there',
      'damaged',
      /./,
      lie((craft) => craft.manifest(craft.config([honest], { architecture }), [named(gzipSync(honest))])),
    ],
    [
      'with a configuration that is not there',
      'damaged',
      /./,
      lie((craft) =>
        craft.manifest(new ImageArchiveCraft().config([honest], { architecture }), [
          craft.layer(gzipSync(honest)),
        ]),
      ),
    ],
    [
      'with a layer that is no archive',
      'damaged',
      /./,
      lie((craft) =>
        craft.manifest(craft.config([honest], { architecture }), [
          craft.layer(Buffer.from('hello '.repeat(200))),
        ]),
      ),
    ],
    [
      'with a layer that breaks off',
      'truncated',
      /./,
      lie((craft) =>
        craft.manifest(craft.config([honest], { architecture }), [
          craft.layer(gzipSync(honest).subarray(0, -20)),
        ]),
      ),
    ],
    [
      'of an architecture with control characters',
      'format',
      /made for \?\[2Jamd64/,
      imageOf([[]], { architecture: '\u001b[2Jamd64' }),
    ],
  ];
  for (const [title, reason, says, bytes] of cases) {
    await t.test(title, async () => refuses(shop, bytes, reason, says));
  }
  for (const [title, size] of [
    ['smaller', 1],
    ['larger', 8 * 1024 ** 4],
  ] as const) {
    await t.test(`with a layer that its manifest calls ${title} than it is`, async () => {
      const layers = (craft: ImageArchiveCraft) => [{ ...craft.layer(gzipSync(honest)), size }];
      const bytes = lie((craft) => craft.manifest(craft.config([honest], { architecture }), layers(craft)));
      await refuses(shop, bytes, 'damaged', /mismatch/);
    });
    await t.test(`unless only its index calls the manifest ${title} than it is`, async () => {
      const bytes = lie((craft) => ({ ...craft.layered([honest], { architecture }), size }));
      await takes(shop, bytes, (root) => assert.ok(existsSync(join(root, 'etc/hostname'))));
    });
  }
});

test('what an image says of its entry point is taken as it is, or refused by name', { skip }, async (t) => {
  using shop = await ImageShop.open();
  const run = (config: object): Buffer => imageOf([[]], { config });
  await t.test('words with control characters are words', () =>
    takes(
      shop,
      run({ Entrypoint: ['sh', '-c', 'a\nb\u001b[2J'], Env: ['A=\u001b[2J', 'b\u001b=c'] }),
      (_, program) =>
        assert.deepEqual([program?.argv[2], program?.env], ['a\nb\u001b[2J', { A: '\u001b[2J' }]),
    ),
  );
  for (const [title, reason, says, config] of [
    ['an endless entry point', 'too_large', /can be started/, { Cmd: ['x'.repeat(200_000)] }],
    ['a user that it does not have', 'owner', /\?\[2Jx/, { Cmd: ['x'], User: '\u001b[2Jx' }],
    ['a working folder that is none', 'path', /no absolute/, { Cmd: ['x'], WorkingDir: '../../etc' }],
  ] as const) {
    await t.test(title, () => refuses(shop, run(config), reason, says));
  }
});
