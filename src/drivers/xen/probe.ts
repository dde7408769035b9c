import { mkdtemp, rm } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { MullionError } from '../../contract/errors.ts';
import { MIB } from '../../contract/sizes.ts';
import { TECHNIQUE_FACTS } from '../../contract/technique-table.ts';
import type { TechniqueReport } from '../../contract/techniques.ts';
import { isControlDomain, type XenFacts, xenFacts } from '../../host/xen/facts.ts';
import { rememberedVerdict } from '../verdicts/verdicts.ts';
import { FEATURES } from './features.ts';
import { guestType } from './guest-type.ts';
import { PROBE_GUEST_TEXT } from './probe-guest.ts';
import { type Trial, tryGuest } from './probe-trial.ts';
import { type HypervisorInfo, hypervisorInfo } from './toolstack.ts';

const GUIDE = 'see docs/how-to/run-on-a-xen-host.md';

/** `missing`: xl is not installed; a text: why xl does not get an answer. */
export type InfoFinding = HypervisorInfo | 'missing' | string;

export interface ProbeFacts {
  readonly host: XenFacts;
  readonly info: InfoFinding | undefined;
  readonly trial: Trial | undefined;
}

/** Probes by running a guest, and remembers a good verdict for as long as kernel and hypervisor stay the same. */
export async function probePara(cacheFile: string, anew: boolean): Promise<TechniqueReport> {
  const host = xenFacts();
  if (!isControlDomain(host)) return judge({ host, info: undefined, trial: undefined });
  const info = await findInfo();
  if (typeof info === 'string') return judge({ host, info, trial: undefined });
  const key = [release(), info.version, info.virtCaps.join('+')].join('|');
  const verdict = await rememberedVerdict(cacheFile, key, anew, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mullion-probe-'));
    try {
      return judge({ host, info, trial: await tryGuest(folder) });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
  return { ...verdict, memoryFree: info.freeMemoryMib * MIB };
}

/** The verdict on what was found. */
export function judge({ host, info, trial }: ProbeFacts): TechniqueReport {
  const evidence = [
    `/sys/hypervisor/type: ${host.hypervisor ?? 'absent'}`,
    `/proc/xen/capabilities: ${host.capabilities ?? 'absent'}`,
  ];
  const report = (
    state: TechniqueReport['state'],
    reason: string,
    remedy: string,
    ...more: string[]
  ): TechniqueReport => ({
    id: 'para',
    name: TECHNIQUE_FACTS.para.name,
    driver: 'xen',
    state,
    reason,
    remedy,
    evidence: [...evidence, ...more],
    features: FEATURES,
  });
  if (host.hypervisor !== 'xen') {
    return report('undetected', 'This host does not run under Xen.', `Boot it under Xen: ${GUIDE}`);
  }
  if (!isControlDomain(host)) {
    return host.capabilities === undefined
      ? report(
          'undetected',
          'This host does not say that it is domain 0.',
          'Mount it: mount -t xenfs xenfs /proc/xen',
        )
      : report(
          'undetected',
          'This host is a guest of Xen, not domain 0.',
          `Use a host of your own: ${GUIDE}`,
        );
  }
  if (info === undefined || info === 'missing') {
    return report(
      'unhealthy',
      "Xen's toolstack is not installed.",
      'Install it: apt-get install xen-system-amd64',
      'xl is not installed',
    );
  }
  if (typeof info === 'string') {
    return report(
      'unhealthy',
      "Xen's toolstack does not answer.",
      'Start it: systemctl start xen',
      `xl info: ${info}`,
    );
  }
  const version = `Xen ${info.version}, virt_caps: ${info.virtCaps.join(' ')}; guests are ${guestType(info.virtCaps).toUpperCase()}`;
  if (trial?.outcome === 'ran') {
    return report(
      'healthy',
      'A para-virtual guest ran.',
      '',
      version,
      `a test guest said: ${PROBE_GUEST_TEXT}`,
    );
  }
  return report(
    'unhealthy',
    'Xen does not run a test guest.',
    `Look at: xl dmesg, and that xenstored and xenconsoled run; ${GUIDE}`,
    version,
    trial?.message ?? 'no test guest was tried',
  );
}

async function findInfo(): Promise<InfoFinding> {
  try {
    return await hypervisorInfo();
  } catch (failure) {
    if (!(failure instanceof MullionError)) throw failure;
    return failure.code === 'host_unfit' ? 'missing' : failure.message;
  }
}
