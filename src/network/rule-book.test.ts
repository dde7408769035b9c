import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MullionError } from '../contract/errors.ts';
import { createNaming } from '../core/naming.ts';
import type { Attachment, NetworkSpec } from './network.ts';
import { attachmentOwner, RuleBook } from './rule-book.ts';
import { attachmentElements, networkElements, renderElements } from './ruleset.ts';

const naming = { ...createNaming('/s', '/r'), instance: 'abcd' };
const network: NetworkSpec = {
  index: 0,
  name: 'default',
  project: 'default',
  ipv4: { gateway: '10.77.0.1', prefix: 24 },
  ipv6: { gateway: 'fd00::1', prefix: 64 },
  domain: 'default.internal',
};
const attachment = (
  vps: string,
  host: number,
  ports: readonly [hostPort: number, vpsPort: number][],
): Attachment => ({
  vps,
  hostname: vps,
  network,
  forwards: ports.map(([hostPort, vpsPort]) => ({ protocol: 'tcp', hostPort, vpsPort })),
  nic: {
    hostLink: `mvabcd-${host}`,
    guestLink: 'eth0',
    mac: `52:54:00:00:00:0${host}`,
    addresses: [
      { address: `10.77.0.${host}`, prefix: 24, gateway: '10.77.0.1' },
      { address: `fd00::${host}`, prefix: 64, gateway: 'fd00::1' },
    ],
    nameservers: [],
    domain: 'default.internal',
  },
});
const admit = (book: RuleBook, one: Attachment): string =>
  book.set(attachmentOwner(one.vps), attachmentElements(one));

test('a network adds its subnets, its gateways and the way within itself', () => {
  assert.equal(
    renderElements(naming, 'add', networkElements(naming, network)),
    `add element inet mullion_abcd loops { "mbabcd-0" . "mbabcd-0" }
add element inet mullion_abcd subnets4 { 10.77.0.1/24 }
add element inet mullion_abcd subnets6 { fd00::1/64 }
add element inet mullion_abcd gateways4 { "mbabcd-0" . 10.77.0.1 }
add element inet mullion_abcd gateways6 { "mbabcd-0" . fd00::1 }
`,
  );
});

test('a VPS adds what it may send, and its forwards by both families', () => {
  assert.equal(
    admit(new RuleBook(naming), attachment('one', 2, [[8080, 80]])),
    `add element bridge mullion_abcd macs { "mvabcd-2" . 52:54:00:00:00:02 }
add element bridge mullion_abcd reflections { "mvabcd-2" . "mvabcd-2" }
add element bridge mullion_abcd addresses4 { "mvabcd-2" . 10.77.0.2 }
add element bridge mullion_abcd addresses6 { "mvabcd-2" . fd00::2, "mvabcd-2" . fe80::5054:ff:fe00:2 }
add element bridge mullion_abcd targets6 { "mvabcd-2" . 0xfd000000000000000000000000000002, "mvabcd-2" . 0xfe80000000000000505400fffe000002 }
add element inet mullion_abcd tcp4 { 8080 : 10.77.0.2 . 80 }
add element inet mullion_abcd tcp6 { 8080 : fd00::2 . 80 }
add element inet mullion_abcd forwarded { 8080 }
`,
  );
});

test('a change renders only its difference, removals first', () => {
  const book = new RuleBook(naming);
  admit(book, attachment('one', 2, [[8080, 80]]));
  assert.equal(admit(book, attachment('one', 2, [[8080, 80]])), '');
  assert.equal(
    admit(book, attachment('one', 2, [[8080, 81]])),
    `delete element inet mullion_abcd tcp4 { 8080 }
delete element inet mullion_abcd tcp6 { 8080 }
add element inet mullion_abcd tcp4 { 8080 : 10.77.0.2 . 81 }
add element inet mullion_abcd tcp6 { 8080 : fd00::2 . 81 }
`,
  );
});

test('a host port of another VPS is refused and the book stays as it was', () => {
  const book = new RuleBook(naming);
  admit(book, attachment('one', 2, [[8080, 80]]));
  admit(book, attachment('two', 3, []));
  const before = book.render();
  assert.throws(
    () => admit(book, attachment('two', 3, [[8080, 80]])),
    (thrown) =>
      thrown instanceof MullionError && thrown.code === 'in_use' && /8080\/tcp/.test(thrown.message),
  );
  assert.equal(book.render(), before);
});

test('a port is free again once its VPS is gone', () => {
  const book = new RuleBook(naming);
  admit(book, attachment('one', 2, [[8080, 80]]));
  assert.match(book.set(attachmentOwner('one'), []), /delete element bridge mullion_abcd macs/);
  assert.equal(book.has(attachmentOwner('one')), false);
  assert.match(admit(book, attachment('two', 3, [[8080, 80]])), /8080 : 10\.77\.0\.3 \. 80/);
});

test('the whole is one transaction that replaces both tables', () => {
  const book = new RuleBook(naming);
  book.load({ networks: [network], attachments: [attachment('one', 2, [])] });
  const lines = book.render().split('\n');
  assert.deepEqual(lines.slice(0, 4), [
    'table inet mullion_abcd',
    'delete table inet mullion_abcd',
    'table bridge mullion_abcd',
    'delete table bridge mullion_abcd',
  ]);
  assert.ok(lines.includes('add element bridge mullion_abcd addresses4 { "mvabcd-2" . 10.77.0.2 }'));
});

test('nothing but names, MACs and addresses gets into nft commands', () => {
  const good = attachment('one', 2, []);
  const [first] = good.nic.addresses;
  assert.ok(first !== undefined);
  for (const nic of [
    { ...good.nic, hostLink: 'a" } ; flush ruleset' },
    { ...good.nic, hostLink: 'longer-than-fifteen' },
    { ...good.nic, mac: '52:54:00' },
    { ...good.nic, addresses: [{ ...first, address: '10.77.0.2; flush ruleset' }] },
  ]) {
    assert.throws(() => attachmentElements({ ...good, nic }), MullionError);
  }
});
