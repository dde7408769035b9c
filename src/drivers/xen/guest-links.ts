import { run } from '../../host/run.ts';
import type { NicSpec } from '../driver.ts';
import type { XenStore } from './xenstore.ts';

/** Gives the host's ends of a new domain's NICs the names that the network knows. */
export async function nameLinks(domain: number, nics: readonly NicSpec[]): Promise<void> {
  if (nics.length === 0) return;
  const lines = nics.map(({ hostLink }, index) => `link set vif${domain}.${index} name ${hostLink}`);
  await run(['ip', '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
}

/** Tells the back end that the links are wired: a script's part, were there one (Xen, docs/misc/xenstore-paths). */
export async function announceLinks(store: XenStore, domain: number, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) {
    await store.write(`/local/domain/0/backend/vif/${domain}/${index}/hotplug-status`, 'connected');
  }
}
