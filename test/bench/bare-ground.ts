import { globSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Technique } from '../../src/contract/techniques.ts';
import type { Limits } from '../../src/contract/vps.ts';
import type { ImageFiles, Machine } from '../../src/drivers/driver.ts';
import { PARTS } from '../../src/images/artifact.ts';
import { machineIn } from '../support/machines.ts';

/** A folder of a daemon's pool for machines that nobody manages, and the image that is in that pool. */
export function groundOf(pool: string): [string, ImageFiles] {
  const [vmlinuz] = globSync(`${pool}/images/*/${PARTS.vmlinuz}`);
  if (vmlinuz === undefined) throw new Error('the image has no kernel');
  const image = join(vmlinuz, '..');
  const folder = join(pool, 'bare');
  mkdirSync(folder, { recursive: true });
  const part = (name: keyof typeof PARTS): string => join(image, PARTS[name]);
  const kernel = { vmlinuz, initramfs: part('initramfs') };
  return [folder, { id: basename(image), disk: part('disk'), kernel }];
}

export function bareMachine(
  technique: Technique,
  folder: string,
  image: ImageFiles,
  limits: Limits,
  round: number,
): Machine {
  const own = { id: technique, technique, ids: { base: 0, count: 65_536 }, image, cgroup: '' };
  return machineIn(folder, { ...own, memory: limits.memory }, { limits, nics: [link(round)] });
}

const link = (round: number): Machine['nics'][number] => ({
  hostLink: `mvbare-${round}`,
  guestLink: 'eth0',
  mac: '52:54:00:65:43:21',
  addresses: [{ address: '10.98.0.2', prefix: 24, gateway: '10.98.0.1' }],
  nameservers: ['10.98.0.1'],
  domain: 'test',
});
