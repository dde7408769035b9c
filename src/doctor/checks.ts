import type { Check } from '../contract/resources.ts';
import { formatSize } from '../contract/size-text.ts';
import { detectCgroups } from '../host/cgroups.ts';
import { hostFacts } from '../host/facts.ts';
import { hasProgram } from '../host/programs.ts';
import type { PoolInfo, VolumeBackend } from '../storage/volume.ts';
import type { Store } from '../store/store.ts';
import { programsFor } from './programs.ts';

const WANTED_CONTROLLERS = ['cpu', 'memory', 'pids'];
const MEMORY_LOW = 256 * 1024 ** 2;

type Finding = Pick<Check, 'state' | 'message' | 'remedy'> & { readonly evidence?: readonly string[] };
const check = (name: string, { evidence = [], ...finding }: Finding): Check => ({
  name,
  ...finding,
  evidence: [...evidence],
});

export function checkPrograms(): Check {
  const needed = programsFor(process.arch);
  const missing = needed.filter(({ name }) => !hasProgram(name));
  if (missing.length === 0) {
    return check('programs', {
      state: 'ok',
      message: 'Every program that is needed is installed.',
      remedy: '',
      evidence: needed.map(({ name }) => name),
    });
  }
  return check('programs', {
    state: 'failed',
    message: `Not installed: ${missing.map(({ name, why }) => `${name} (${why})`).join(', ')}.`,
    remedy: 'Run: mullion quickstart, which installs what is missing',
  });
}

export function checkCgroups(): Check {
  const { layout, controllers } = detectCgroups();
  const present = Object.keys(controllers);
  const missing = WANTED_CONTROLLERS.filter((controller) => !present.includes(controller));
  return check('cgroups', {
    state: missing.length === 0 ? 'ok' : 'failed',
    message:
      missing.length === 0
        ? `The control groups are of layout ${layout}, with every controller that limits need.`
        : `Limits cannot be held: the controllers ${missing.join(', ')} are missing.`,
    remedy:
      missing.length === 0
        ? ''
        : 'Boot with the controllers enabled, for example systemd.unified_cgroup_hierarchy=1',
    evidence: [`layout ${layout}`, `controllers ${present.sort().join(' ')}`],
  });
}

export function checkMemory(): Check {
  const { memoryTotal, memoryAvailable } = hostFacts();
  const low = memoryAvailable < MEMORY_LOW;
  return check('memory', {
    state: low ? 'warning' : 'ok',
    message: `${formatSize(memoryAvailable)} of ${formatSize(memoryTotal)} is available.`,
    remedy: low ? 'Stop a VPS, or lower its memory: mullion set NAME memory=SIZE' : '',
  });
}

export const checkPool = async (pool: Pick<VolumeBackend, 'info'>): Promise<Check> =>
  judgePool(await pool.info());

/** Says the gravest of its warnings, and what to do about each. */
export function judgePool({ backend, path, size, used, free, warnings }: PoolInfo): Check {
  const [gravest] = warnings;
  return check('pool', {
    state: gravest === undefined ? 'ok' : 'warning',
    message: gravest?.message ?? `The pool has ${formatSize(free)} of ${formatSize(size)} free.`,
    remedy: [...new Set(warnings.map(({ remedy }) => remedy))].join('; '),
    evidence: [
      `${backend} at ${path}`,
      `${formatSize(used)} used, ${formatSize(free)} free`,
      ...warnings.map(({ message }) => message),
    ],
  });
}

/** Writes and deletes a key: the state can be changed durably. */
export async function checkStore(store: Store): Promise<Check> {
  const key = 'doctor/probe';
  const written = await store.transact([], [{ type: 'put', key, value: true }]);
  await store.transact([], [{ type: 'delete', key }]);
  return check('store', {
    state: written.ok ? 'ok' : 'failed',
    message: written.ok ? 'The state can be read and written.' : 'The state cannot be written.',
    remedy: written.ok ? '' : 'Check the disk below the state directory',
    evidence: [`revision ${written.revision}`],
  });
}
