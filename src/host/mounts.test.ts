import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMountInfo, renderOverlayOptions } from './mounts.ts';

test('mountinfo is read with its octal escapes, optional fields and both sorts of options', () => {
  const text = [
    '36 35 98:0 /mnt1 /mnt\\040two rw,noatime master:1 shared:7 - ext3 /dev/root\\011x rw,errors=continue',
    '37 35 0:9 / /back\\134slash ro - overlay overlay ro,lowerdir=/a\\040b:/c',
    '38 35 0:10 / /ümlaut rw - tmpfs none rw',
    '',
  ].join('\n');
  assert.deepEqual(parseMountInfo(text), [
    {
      target: '/mnt two',
      source: '/dev/root\tx',
      fstype: 'ext3',
      options: ['rw', 'noatime', 'rw', 'errors=continue'],
    },
    {
      target: '/back\\slash',
      source: 'overlay',
      fstype: 'overlay',
      options: ['ro', 'ro', 'lowerdir=/a b:/c'],
    },
    { target: '/ümlaut', source: 'none', fstype: 'tmpfs', options: ['rw', 'rw'] },
  ]);
});

test('a source may contain the separator of mountinfo', () => {
  const [entry] = parseMountInfo('1 0 0:1 / /x rw - fuse a-b rw\n');
  assert.equal(entry?.source, 'a-b');
});

test('overlay options escape what would end a path', () => {
  assert.equal(
    renderOverlayOptions({ lower: ['/a:b', '/c,d'], upper: '/u:1,2', work: '/w\\' }),
    'lowerdir=/a\\:b:/c\\,d,upperdir=/u:1\\,2,workdir=/w\\\\,userxattr',
  );
});
