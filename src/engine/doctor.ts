import type { Check } from '../contract/resources.ts';
import { TECHNIQUE_FACTS } from '../contract/techniques.ts';
import { checkBackups } from './backups/doctor.ts';
import { bounded } from './bounded.ts';
import type { Context } from './context.ts';
import { findLeftovers } from './leftovers.ts';
import type { Techniques } from './techniques.ts';

const CHECK_MS = 30_000;

/** Every check, none of which can fail the others. */
export async function doctor(context: Context, techniques: Techniques): Promise<Check[]> {
  const checks: readonly (() => Promise<Check>)[] = [
    ...context.deps.checks,
    () => checkTechniques(techniques),
    () => checkLeftovers(context),
    () => checkVps(context),
    () => checkBackups(context),
  ];
  return Promise.all(checks.map(run));
}

async function run(check: () => Promise<Check>): Promise<Check> {
  try {
    return await bounded('check', CHECK_MS, check());
  } catch (failure) {
    return {
      name: 'check',
      state: 'failed',
      message: 'A check itself failed.',
      evidence: [failure instanceof Error ? failure.message : String(failure)],
      remedy: "See the daemon's log",
    };
  }
}

async function checkTechniques(techniques: Techniques): Promise<Check> {
  const reports = await techniques.all(false);
  const healthy = reports.filter(({ state }) => state === 'healthy');
  return {
    name: 'techniques',
    state: healthy.length > 0 ? 'ok' : 'failed',
    message:
      healthy.length > 0
        ? `This host can run: ${healthy.map(({ id }) => TECHNIQUE_FACTS[id].name).join(', ')}.`
        : 'This host can run none of the techniques.',
    evidence: reports.map(({ id, state, reason }) => `${id}: ${state}: ${reason}`),
    remedy: healthy.length > 0 ? '' : 'See what each needs with: mullion techniques',
  };
}

async function checkLeftovers(context: Context): Promise<Check> {
  const found = await findLeftovers(context);
  return {
    name: 'leftovers',
    state: found.length === 0 ? 'ok' : 'warning',
    message:
      found.length === 0
        ? 'Nothing lies about that no VPS owns.'
        : `${found.length} things belong to no VPS.`,
    evidence: found,
    remedy:
      found.length === 0
        ? ''
        : 'If a store was lost, put it back. Else start the daemon again, which removes them once it knows a VPS: mullion daemon stop; mullion daemon start',
  };
}

async function checkVps(context: Context): Promise<Check> {
  const all = [...context.state.vps.values()];
  const broken = all.filter(({ state }) => state === 'error');
  return {
    name: 'vps',
    state: broken.length === 0 ? 'ok' : 'warning',
    message:
      broken.length === 0
        ? `${all.length} VPSs, none in error.`
        : `${broken.length} of ${all.length} VPSs are in error.`,
    evidence: broken.map(({ project, name, message }) => `${project}/${name}: ${message}`),
    remedy: broken.length === 0 ? '' : 'Start them again, or delete them',
  };
}
