import { readFileSync } from 'node:fs';

export interface XenFacts {
  /** /sys/hypervisor/type; undefined when no hypervisor tells of itself. */
  readonly hypervisor: string | undefined;
  /** /proc/xen/capabilities; undefined when it cannot be read. Domain 0 has `control_d`. */
  readonly capabilities: string | undefined;
}

/** What this machine says of Xen; no proof that a guest runs. */
export const xenFacts = (): XenFacts => ({
  hypervisor: read('/sys/hypervisor/type'),
  capabilities: read('/proc/xen/capabilities'),
});

/** Whether this is the domain that makes others. */
export const isControlDomain = ({ capabilities }: XenFacts): boolean =>
  capabilities?.split(/\s+/).includes('control_d') === true;

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
