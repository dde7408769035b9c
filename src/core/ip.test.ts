import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatIpv4, formatIpv6, linkLocalAddress, parseIpv4, parseIpv6 } from './ip.ts';

test('every IPv4 address survives formatting and parsing', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (value) => parseIpv4(formatIpv4(value)) === value),
  );
});

test('every IPv6 address survives formatting and parsing', () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
      (value) => parseIpv6(formatIpv6(value)) === value,
    ),
  );
});

test('addresses with runs of zeros survive formatting and parsing', () => {
  const group = fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const value = groups.reduce((sum, part) => (sum << 16n) | BigInt(part), 0n);
      const text = formatIpv6(value);
      assert.equal(
        text,
        new URL(`http://[${text}]`).hostname.slice(1, -1),
        'the canonical form of the URL standard',
      );
      return parseIpv6(text) === value;
    }),
  );
});

test('parsing accepts every spelling that fast-check knows, and what it accepts Node accepts', () => {
  fc.assert(fc.property(fc.ipV4(), (text) => parseIpv4(text) !== undefined));
  fc.assert(fc.property(fc.ipV6(), (text) => parseIpv6(text) !== undefined));
  fc.assert(
    fc.property(
      fc.stringMatching(/^[0-9a-f:.]{0,40}$/),
      (text) => (parseIpv6(text) !== undefined) === isIPv6(text),
    ),
  );
});

test('what is no address is refused', () => {
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.1.1.1',
    '1.2.3.-4',
    ' 1.2.3.4',
    '1e1.2.3.4',
  ]) {
    assert.equal(parseIpv4(text), undefined, text);
  }
  for (const text of [
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1.2.3.4::',
    'fe80::1%eth0',
    '12345::',
  ]) {
    assert.equal(parseIpv6(text), undefined, text);
  }
});

test('the canonical form shortens the first longest run of zeros only', () => {
  assert.equal(formatIpv6(0n), '::');
  assert.equal(formatIpv6(1n), '::1');
  assert.equal(formatIpv6(parseIpv6('2001:db8:0:0:1:0:0:1') ?? 0n), '2001:db8::1:0:0:1');
  assert.equal(formatIpv6(parseIpv6('2001:db8:0:1:1:1:1:1') ?? 0n), '2001:db8:0:1:1:1:1:1');
});

test('a link-local address follows from the MAC address', () => {
  assert.equal(linkLocalAddress('52:54:00:12:34:56'), 'fe80::5054:ff:fe12:3456');
});
