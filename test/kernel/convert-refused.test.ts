import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MullionError } from '../../src/contract/errors.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { UserNamespaces } from '../../src/host/user-namespaces.ts';
import { openConverter } from '../../src/images/convert/local-converter.ts';
import { jailsIn } from '../support/jails.ts';
import { scratchDirectory } from '../support/scratch.ts';

const missing = ['crun', 'fuse2fs', 'e2fsck'].filter((name) => !hasProgram(name));
const skip = missing.length === 0 ? false : `these programs are not installed: ${missing.join(', ')}`;
const SIZE = 16 * 1024 ** 2;

/** A disk with a partition table, as an operating system that came from elsewhere has. */
function partitioned(): Buffer {
  const disk = Buffer.alloc(SIZE);
  disk.set([0x80, 0, 2, 0, 0x07, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0x40], 446);
  disk.writeUInt16BE(0x55aa, 510);
  return disk;
}

test('a disk whose files no container can have does not become one', { skip }, async (t) => {
  using scratch = scratchDirectory('convert');
  chmodSync(scratch.path, 0o711);
  using closers = new DisposableStack();
  const userNamespaces = new UserNamespaces();
  closers.defer(() => userNamespaces.close());
  const runDirectory = join(scratch.path, 'run');
  const converter = openConverter({ jails: jailsIn(scratch.path), userNamespaces, runDirectory });
  const rootfs = join(scratch.path, 'rootfs');
  mkdirSync(rootfs);
  let made = 0;
  const convert = async (fill: (disk: string) => void): Promise<MullionError> => {
    made += 1;
    const [source, target] = [join(scratch.path, `from-${made}`), join(scratch.path, `to-${made}`)];
    for (const folder of [source, target]) mkdirSync(folder);
    fill(join(source, 'disk.raw'));
    const conversion = {
      from: 'disk',
      to: 'root',
      source,
      target,
      image: { id: 'image', rootfs },
      diskSize: SIZE,
    } as const;
    const refused = await converter
      .convert(conversion, () => undefined, new AbortController().signal)
      .then(() => undefined)
      .catch((failure: unknown) => failure);
    assert.ok(refused instanceof MullionError, String(refused));
    assert.deepEqual(readdirSync(source), ['disk.raw']);
    return refused;
  };

  for (const [what, fill] of [
    ['with partitions', (disk: string) => writeFileSync(disk, partitioned())],
    ['with nothing on it', (disk: string) => writeFileSync(disk, Buffer.alloc(SIZE))],
  ] as const) {
    await t.test(`one ${what}`, async () => {
      const { code, message, remedy } = await convert(fill);
      assert.equal(code, 'conversion_refused', message);
      assert.match(message, /cannot become a container/);
      assert.match(remedy, /full, hardware, kernel or para/);
    });
  }
});
