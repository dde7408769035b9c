import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAnswers } from './answers.ts';
import type { LinkChange } from './link-change.ts';
import { encodeChange } from './messages.ts';

const encode = (change: LinkChange): string => encodeChange(change, 7, () => 9).toString('hex');
/** Groups of hexadecimal digits, with what they are. */
const bytes = (...parts: readonly [hex: string, what: string][]): string =>
  parts.map(([hex]) => hex.replaceAll(' ', '')).join('');

test('a default route is the message that ip(8) sends for route replace proto static', () => {
  assert.equal(
    encode({ type: 'setDefaultRoute', link: 'eth0', gateway: '10.0.0.1' }),
    bytes(
      ['2c000000 1800 0505 07000000 00000000', 'RTM_NEWROUTE, request, answer, replace or create; number 7'],
      ['02 00 00 00 fe 04 00 01 00000000', 'IPv4, default, main table, static, universe, unicast'],
      ['0800 0500 0a000001', 'gateway'],
      ['0800 0400 09000000', 'link 9'],
    ),
  );
});

test('an IPv4 address comes with its broadcast', () => {
  assert.equal(
    encode({ type: 'setAddress', link: 'eth0', address: '10.0.4.2', prefix: 22 }),
    bytes(
      ['30000000 1400 0505 07000000 00000000', 'RTM_NEWADDR, request, answer, replace or create'],
      ['02 16 00 00 09000000', 'IPv4, 22 bits, universe, link 9'],
      ['0800 0200 0a000402', 'IFA_LOCAL'],
      ['0800 0100 0a000402', 'IFA_ADDRESS'],
      ['0800 0400 0a0007ff', 'IFA_BROADCAST'],
    ),
  );
});

test('an IPv6 address is in use without a check for duplicates', () => {
  assert.equal(
    encode({ type: 'setAddress', link: 'eth0', address: 'fd00::2', prefix: 64 }),
    bytes(
      ['40000000 1400 0505 07000000 00000000', 'RTM_NEWADDR, request, answer, replace or create'],
      ['0a 40 02 00 09000000', 'IPv6, 64 bits, IFA_F_NODAD, universe, link 9'],
      ['1400 0200 fd000000000000000000000000000002', 'IFA_LOCAL'],
      ['1400 0100 fd000000000000000000000000000002', 'IFA_ADDRESS'],
    ),
  );
});

test('a pair names its peer, the MAC and the process whose network it goes to', () => {
  const pair = { link: 'mv1', bridge: 'mb1', peer: 'eth0', mac: '52:54:00:00:00:02' } as const;
  assert.equal(
    encode({ type: 'addPair', ...pair, place: { pid: 0x1234 } }),
    bytes(
      ['74000000 1000 0506 07000000 00000000', 'RTM_NEWLINK, request, answer, create, exclusively'],
      ['0000 0000 00000000 01000000 01000000', 'struct ifinfomsg, IFF_UP'],
      ['0800 0300 6d763100', 'IFLA_IFNAME mv1'],
      ['0800 0a00 09000000', 'IFLA_MASTER 9'],
      ['4400 1280', 'IFLA_LINKINFO, nested'],
      ['0800 0100 76657468', 'IFLA_INFO_KIND veth'],
      ['3800 0280 3400 0180', 'IFLA_INFO_DATA, VETH_INFO_PEER'],
      ['00000000000000000000000000000000', 'struct ifinfomsg'],
      ['0900 0300 65746830 00 000000', 'IFLA_IFNAME eth0'],
      ['0a00 0100 525400000002 0000', 'IFLA_ADDRESS'],
      ['0800 1300 34120000', 'IFLA_NET_NS_PID'],
    ),
  );
  const byDescriptor = encode({ type: 'addPair', ...pair, place: { fd: 0x15 } });
  assert.ok(byDescriptor.endsWith(bytes(['0800 1c00 15000000', 'IFLA_NET_NS_FD'])), byDescriptor);
});

test('a neighbour that is set for good is the message that ip(8) sends for neigh replace nud permanent', () => {
  assert.equal(
    encode({ type: 'setNeighbour', link: 'mb1', address: '10.0.0.2', mac: '52:54:00:00:00:02' }),
    bytes(
      ['30000000 1c00 0505 07000000 00000000', 'RTM_NEWNEIGH, request, answer, replace or create'],
      ['02 00 0000 09000000 8000 00 00', 'IPv4, link 9, NUD_PERMANENT'],
      ['0800 0100 0a000002', 'NDA_DST'],
      ['0a00 0200 525400000002 0000', 'NDA_LLADDR'],
    ),
  );
  assert.equal(
    encode({ type: 'removeNeighbour', link: 'mb1', address: 'fd00::2' }),
    bytes(
      ['30000000 1d00 0500 07000000 00000000', 'RTM_DELNEIGH, request, answer'],
      ['0a 00 0000 09000000 0000 00 00', 'IPv6, link 9'],
      ['1400 0100 fd000000000000000000000000000002', 'NDA_DST'],
    ),
  );
});

test('names, MACs and addresses of another shape are refused', () => {
  for (const change of [
    { type: 'raise', link: 'a/b' },
    { type: 'raise', link: '' },
    { type: 'raise', link: 'sixteen-letters-' },
    { type: 'addBridge', link: 'mb1', mac: '52:54:00:00:00' },
    { type: 'setAddress', link: 'eth0', address: '10.0.0', prefix: 8 },
  ] satisfies LinkChange[]) {
    assert.throws(() => encode(change), TypeError);
  }
});

test("the kernel's answers are told apart by number, with its words", () => {
  const done = bytes(
    ['24000000 0200 0001 01000000 00000000 00000000', 'no error'],
    ['00'.repeat(16), 'quoted'],
  );
  const words = Buffer.from('No such thing\0\0\0').toString('hex');
  const failed = bytes(
    ['38000000 0200 0003 02000000 00000000 eaffffff', 'EINVAL, capped, with attributes'],
    ['99000000 1000 0505 02000000 00000000', 'quoted'],
    ['1200 0100', 'NLMSGERR_ATTR_MSG'],
    [words, ''],
  );
  assert.deepEqual(parseAnswers(Buffer.from(done + failed, 'hex')), [
    { sequence: 1, errno: 0, words: '' },
    { sequence: 2, errno: 22, words: 'No such thing' },
  ]);
  assert.deepEqual(parseAnswers(Buffer.from(failed.slice(0, 60), 'hex')), [], 'cut off');
});
