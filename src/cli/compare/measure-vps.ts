import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../client/client.ts';
import { asMullionError } from '../../contract/error-table.ts';
import type { TechniqueReport } from '../../contract/techniques.ts';
import { Guest } from './guest.ts';
import { bootTimes } from './measure-boot.ts';
import { MEASURES, type MeasureId } from './measures.ts';
import type { Comparison, Value, Values } from './result.ts';
import { CLEAN_UP, type Pace, WORKLOADS } from './workloads.ts';

export interface Plan {
  readonly pace: Pace;
  /** How often each VPS is started. */
  readonly starts: number;
  readonly looks: number;
  readonly settleMs: number;
  readonly image: string;
  readonly limits: Comparison['limits'];
}

export interface Surroundings {
  readonly client: Client;
  readonly query: { readonly project?: string };
  readonly signal: AbortSignal;
  readonly plan: Plan;
  readonly memoryAvailable: number;
  /** Address of the VPS that answers on the network. */
  readonly partner: () => Promise<string>;
  /** Names each step as it begins. */
  readonly onStep: (what: string) => void;
}

/** Steps of one technique, for a bar of progress. */
export const stepsOf = ({ starts }: Plan): number => 1 + 2 * starts + 1 + WORKLOADS.length;

const READY_MS = 300_000;
const GRACE_MS = 120_000;

const medianOf = (samples: readonly number[]): number => {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
};
const value = (samples: readonly number[]): Value => ({ value: medianOf(samples), samples });
const missing = (reason: string): Value => ({ value: null, reason });
const now = (): number => performance.now() / 1000;

/** Measures one VPS that this makes; whoever calls deletes it. `values` has what is known so far, whatever happens. */
export async function measureVps(
  around: Surroundings,
  report: TechniqueReport,
  name: string,
  values: Values,
): Promise<void> {
  const { client, query, signal, plan, onStep } = around;
  const guest = new Guest(client, query, name, signal);
  const params = { name };

  onStep('create');
  const began = now();
  const { image, limits } = plan;
  const body = { image, name, technique: report.id, ...limits, start: false } as const;
  await guest.ended(await client.call('vps.launch', { query: { ...query, wait: 60 }, body, signal }));
  values.create = value([now() - began]);

  const times: Record<'userspace' | 'ready' | 'stop', number[]> = { userspace: [], ready: [], stop: [] };
  for (let round = 1; round <= plan.starts; round += 1) {
    onStep(`start ${round} of ${plan.starts}`);
    const asked = now();
    await guest.ended(await client.call('vps.start', { params, query: { ...query, wait: 60 }, signal }));
    await guest.answers(READY_MS);
    const boot = await bootTimes(guest, plan.looks);
    if (boot !== undefined) times.userspace.push(boot.userspace - asked);
    if (boot?.ready !== undefined) times.ready.push(boot.ready - asked);
    if (round === plan.starts) {
      Object.assign(values, await idleValues(around, report, name));
      values.exec = await execValue(around, guest);
      await workloads(around, guest, values);
    }
    onStep(`stop ${round} of ${plan.starts}`);
    const stopping = now();
    const body = { timeout: GRACE_MS / 1000 };
    await guest.ended(await client.call('vps.stop', { params, query: { ...query, wait: 60 }, body, signal }));
    times.stop.push(now() - stopping);
  }
  const none = missing('no systemd in the guest told its times');
  values.userspace = times.userspace.length === 0 ? none : value(times.userspace);
  values.ready = times.ready.length === 0 ? none : value(times.ready);
  values.stop = value(times.stop);
}

async function idleValues(around: Surroundings, report: TechniqueReport, name: string): Promise<Values> {
  const { client, query, signal, plan, memoryAvailable, onStep } = around;
  onStep('idle memory');
  await sleep(plan.settleMs, undefined, { signal });
  const { usage } = await client.call('vps.info', { params: { name }, query, signal });
  const idle = value([usage.memory]);
  const { memoryFree = memoryAvailable, features } = report;
  if (features.resourcesApart === true && report.memoryFree === undefined) {
    return {
      idle,
      fit: missing('the hypervisor, whose the memory of its guests is, did not say what is free'),
    };
  }
  const byUse = memoryFree / Math.max(1, usage.memory);
  const byPromise = features.ownKernel === true ? memoryFree / plan.limits.memory : byUse;
  return { idle, fit: value([Math.floor(Math.min(byUse, byPromise))]) };
}

async function execValue({ plan }: Surroundings, guest: Guest): Promise<Value> {
  const samples: number[] = [];
  for (let look = 0; look < plan.looks; look += 1) {
    const began = now();
    await guest.run(['true'], GRACE_MS);
    samples.push((now() - began) * 1000);
  }
  return value(samples);
}

/** A workload that fails leaves its reason, and the others go on. */
async function workloads(around: Surroundings, guest: Guest, values: Values): Promise<void> {
  const { plan, signal, onStep } = around;
  const record = async (id: MeasureId, work: () => Promise<Value>): Promise<void> => {
    onStep(MEASURES.find((measure) => measure.id === id)?.short ?? id);
    values[id] = await work().catch((failure: unknown) => {
      signal.throwIfAborted();
      return missing(asMullionError(failure).message);
    });
  };
  for (const { id, program, argv, parse } of WORKLOADS) {
    await record(id, async () => {
      const has = await guest.run(['sh', '-c', 'command -v "$0"', program], GRACE_MS);
      if (has.code !== 0) return missing(`the image has no ${program}`);
      const command = argv(plan.pace, id === 'network' ? await around.partner() : '');
      const { code, output } = await guest.run(command, plan.pace.seconds * 1000 + GRACE_MS);
      const found = parse(output, plan.pace);
      if (found !== undefined) return value([found]);
      return missing(
        `${program} ended with code ${code}: ${output.trim().split('\n').at(-1)?.slice(0, 200) ?? ''}`,
      );
    });
  }
  await guest.run(CLEAN_UP, GRACE_MS).catch(() => undefined);
}
