import { MullionError } from '../../contract/error-table.ts';
import { hostFacts, osRelease } from '../../host/facts.ts';
import { found, type Step } from './step.ts';

/** Refuses a machine that cannot be set up, before anything is changed. */
export const hostStep: Step = {
  name: 'host',
  run: async () => {
    if (process.getuid?.() !== 0) {
      throw new MullionError('forbidden', 'Setting a machine up needs root.', {
        remedy: 'Run: sudo ./mullion quickstart',
      });
    }
    refuseForeignSystem(osRelease());
    const facts = hostFacts();
    return found(`${facts.distribution}, kernel ${facts.kernel}, ${facts.cpus} processors`);
  },
};

/** @throws MullionError `host_unfit` unless os-release(5) names Debian or a system made from it. */
export function refuseForeignSystem(release: Readonly<Record<string, string>>): void {
  const family = [release.ID ?? '', ...(release.ID_LIKE ?? '').split(' ')];
  if (family.includes('debian')) return;
  const name = release.PRETTY_NAME ?? release.ID ?? 'an unknown system';
  throw new MullionError('host_unfit', `This is ${name}; quickstart installs Debian packages.`, {
    remedy: 'Use Debian 12 or 13, or install what debian-packages.txt lists and run: mullion daemon start',
  });
}
