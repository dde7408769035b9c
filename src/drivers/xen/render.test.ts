import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_RATES } from '../../contract/rates.ts';
import { MIB } from '../../contract/sizes.ts';
import type { Machine } from '../driver.ts';
import { guestType } from './guest-type.ts';
import { renderConfiguration } from './render.ts';
import { parseInfo } from './toolstack.ts';

const machine: Machine = {
  id: 'v1',
  name: 'web',
  project: 'default',
  technique: 'para',
  limits: { cpus: 1.5, memory: 512 * MIB, disk: 2048 * MIB, pids: 200, ...NO_RATES },
  ids: { base: 0, count: 65_536 },
  volume: '/pool/v1',
  image: { id: 'i' },
  runDirectory: '/run/v1',
  logDirectory: '/log/v1',
  cgroup: 'c',
  nics: [
    {
      hostLink: 'mvab12-0',
      guestLink: 'eth0',
      mac: '52:54:00:01:02:03',
      addresses: [],
      nameservers: [],
      domain: '',
    },
  ],
  machineId: '0'.repeat(32),
  env: {},
  sshKeys: [],
};
const parts = {
  type: 'pv',
  name: 'mullion-ab12-v1',
  uuid: '74fe71ca-e81a-41f1-b30c-d51b4523137d',
  vmlinuz: '/images/i/vmlinuz',
  initramfs: '/pool/v1/initramfs',
  disk: '/dev/loop7',
  hostCpus: 3,
} as const;

test('a machine becomes the configuration of a domain', () => {
  assert.equal(
    renderConfiguration(machine, parts),
    `name = "mullion-ab12-v1"
uuid = "74fe71ca-e81a-41f1-b30c-d51b4523137d"
type = "pv"
kernel = "/images/i/vmlinuz"
ramdisk = "/pool/v1/initramfs"
cmdline = "console=hvc0 root=/dev/xvda rw quiet panic=10 net.ifnames=0 sysctl.kernel.threads-max=296"
memory = 512
maxmem = 2048
vcpus = 2
maxvcpus = 3
cap = 150
on_poweroff = "preserve"
on_reboot = "preserve"
on_crash = "preserve"
on_watchdog = "preserve"
disk = [ "format=raw,vdev=xvda,access=rw,backendtype=phy,script=/bin/true,target=/dev/loop7" ]
vif = [ "mac=52:54:00:01:02:03,script=/bin/true" ]
`,
  );
});

test('a value that would end its string in the configuration is refused', () => {
  for (const name of ['a"b', 'a\nb', 'a\\b']) {
    assert.throws(() => renderConfiguration(machine, { ...parts, name }), TypeError);
  }
});

test('what xl says of the hypervisor decides how guests run', () => {
  const info = parseInfo(
    'nr_cpus                : 2\nvirt_caps              : pv hvm hvm_directio hap\nfree_memory            : 813\nxen_version            : 4.17.5\nxen_scheduler          : credit2\n',
  );
  assert.deepEqual(info, {
    version: '4.17.5',
    cpus: 2,
    scheduler: 'credit2',
    virtCaps: ['pv', 'hvm', 'hvm_directio', 'hap'],
    freeMemoryMib: 813,
  });
  assert.equal(guestType(info.virtCaps), 'pvh');
  assert.equal(guestType(['pv', 'hvm', 'shadow']), 'pv');
  assert.equal(guestType(parseInfo('').virtCaps), 'pv');
});
