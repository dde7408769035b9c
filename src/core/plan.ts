import { RATE_NAMES, type Rates, ratesOf } from '../contract/rates.ts';
import type { Technique } from '../contract/techniques.ts';
import type { Limits } from '../contract/vps.ts';

/** What lies of a VPS's data: nothing, something unfinished, or its file system. */
export type VolumeFact = 'none' | 'partial' | 'filled';
/** `remains`: processes, mounts or files may be left, but nothing that could run. */
export type MachineFact = 'none' | 'remains' | 'prepared' | 'running' | 'paused';
export type NetworkFact = 'none' | 'admitted' | 'connected';

export interface Observed {
  readonly recorded: boolean;
  readonly volume: VolumeFact;
  readonly machine: MachineFact;
  readonly network: NetworkFact;
  /** Limit of the volume in bytes; undefined while there is none. */
  readonly volumeLimit?: number | undefined;
  /** What the machine was prepared with, or what was applied since. */
  readonly limits?: Limits | undefined;
}

/** What a new VPS's data is copied from: the volume of another, as it is or as a snapshot keeps it. */
export interface CopySource {
  readonly vps: string;
  readonly snapshot?: string | undefined;
  /** `vps` is the id of a template, whose memory is copied too. */
  readonly template?: boolean | undefined;
}

export type Goal = 'absent' | 'stopped' | 'running' | 'paused';

/** Of a machine that is, or is to be, more than prepared: it runs, or stands still. */
export const isAlive = (state: string): state is 'running' | 'paused' =>
  state === 'running' || state === 'paused';

/** Which limits change while a machine runs. */
export type LiveLimits = Readonly<Record<LimitName, boolean>>;

export interface Desired {
  readonly goal: Goal;
  readonly limits: Limits;
  readonly volumeLimit: number;
  /** The pool holds volumes to their limit. */
  readonly quota: boolean;
  readonly networked: boolean;
  readonly live: LiveLimits;
  /** Time for the guest to end by itself before it is killed; 0 kills at once. */
  readonly shutdownMs: number;
  /** Absent: the data comes from the image. */
  readonly copyOf?: CopySource | undefined;
}

/** Everything that can be done to a VPS, with what it needs to know. */
export type Step =
  | { readonly type: 'createVolume'; readonly limit: number }
  | { readonly type: 'setVolumeLimit'; readonly limit: number }
  | { readonly type: 'populate' }
  | { readonly type: 'cloneVolume'; readonly source: CopySource; readonly limit: number }
  /** Takes out of copied data what must be no other's. */
  | { readonly type: 'individualize' }
  | {
      readonly type: 'createSnapshot';
      readonly snapshot: string;
      readonly running: boolean;
      readonly stateful: boolean;
    }
  | { readonly type: 'restoreSnapshot'; readonly snapshot: string }
  | { readonly type: 'deleteSnapshot'; readonly snapshot: string }
  /** Keeps the data as it is, as a snapshot; or takes it back to that when it is there. */
  | { readonly type: 'keepData'; readonly kept: string }
  | { readonly type: 'convertData'; readonly technique: Technique }
  | { readonly type: 'admit' }
  | { readonly type: 'prepare'; readonly limits: Limits }
  | { readonly type: 'connect' }
  | { readonly type: 'start' }
  | { readonly type: 'pause' }
  | { readonly type: 'resume' }
  | { readonly type: 'setLimits'; readonly limits: Limits }
  | { readonly type: 'setRates'; readonly rates: Rates }
  | { readonly type: 'shutdown'; readonly timeoutMs: number }
  | { readonly type: 'remove' }
  | { readonly type: 'detach' }
  | { readonly type: 'deleteVolume' }
  | { readonly type: 'forget' };
export type StepType = Step['type'];
export type StepOf<T extends StepType> = Extract<Step, { readonly type: T }>;
/** Steps of one stage may run side by side; stages run in order. */
export type Stage = readonly Step[];

export const NOTHING: Observed = { recorded: false, volume: 'none', machine: 'none', network: 'none' };

/** The stages that lead from what is to what should be; none when it is so already. */
export function plan(desired: Desired, observed: Observed): Stage[] {
  if (!observed.recorded) return desired.goal === 'absent' ? tearDown(desired, observed) : [];
  switch (desired.goal) {
    case 'absent':
      return [...tearDown(desired, observed), [{ type: 'forget' }]];
    case 'stopped':
      return [...halt(desired, observed), ...data(desired, observed)];
    case 'running':
    case 'paused':
      return [...run(desired, observed), ...adjust(desired, observed)];
  }
}

function tearDown(desired: Desired, observed: Observed): Stage[] {
  return [
    ...halt({ ...desired, shutdownMs: 0 }, observed),
    ...(observed.volume === 'none' ? [] : ([[{ type: 'deleteVolume' }]] as const)),
  ];
}

export function halt(desired: Desired, observed: Observed): Stage[] {
  const stages: Stage[] = [];
  if (isAlive(observed.machine) && desired.shutdownMs > 0) {
    if (observed.machine === 'paused') stages.push([{ type: 'resume' }]);
    stages.push([{ type: 'shutdown', timeoutMs: desired.shutdownMs }]);
  }
  if (observed.machine !== 'none') stages.push([{ type: 'remove' }]);
  if (observed.network !== 'none') stages.push([{ type: 'detach' }]);
  return stages;
}

function data(desired: Desired, observed: Observed): Stage[] {
  if (observed.volume === 'filled') {
    const fits = !desired.quota || observed.volumeLimit === desired.volumeLimit;
    return fits ? [] : [[{ type: 'setVolumeLimit', limit: desired.volumeLimit }]];
  }
  return [
    ...(observed.volume === 'partial' ? ([[{ type: 'deleteVolume' }]] as const) : []),
    ...fill(desired),
  ];
}

function fill({ volumeLimit: limit, copyOf }: Desired): Stage[] {
  return copyOf === undefined
    ? [[{ type: 'createVolume', limit }], [{ type: 'populate' }]]
    : [[{ type: 'cloneVolume', source: copyOf, limit }], [{ type: 'individualize' }]];
}

function run(desired: Desired, observed: Observed): Stage[] {
  if (isAlive(observed.machine)) {
    const stages: Stage[] = [];
    if (desired.networked && observed.network === 'none') stages.push([{ type: 'admit' }]);
    if (desired.networked && observed.network !== 'connected') stages.push([{ type: 'connect' }]);
    if (observed.machine === 'paused' && desired.goal === 'running') stages.push([{ type: 'resume' }]);
    if (observed.machine === 'running' && desired.goal === 'paused') stages.push([{ type: 'pause' }]);
    return stages;
  }
  const prepare: Step = { type: 'prepare', limits: desired.limits };
  return [
    ...halt(desired, observed),
    ...data(desired, observed),
    desired.networked ? [{ type: 'admit' }, prepare] : [prepare],
    ...(desired.networked ? ([[{ type: 'connect' }]] as const) : []),
    [{ type: 'start' }],
    ...(desired.goal === 'paused' ? ([[{ type: 'pause' }]] as const) : []),
  ];
}

/** Limits of a machine that runs, as far as they change while it does. */
function adjust(desired: Desired, observed: Observed): Stage[] {
  if (observed.machine !== 'running' && observed.machine !== 'paused') return [];
  const steps: Step[] = [];
  if (desired.quota && desired.live.disk && observed.volumeLimit !== desired.volumeLimit) {
    steps.push({ type: 'setVolumeLimit', limit: desired.volumeLimit });
  }
  const limits = reachable(desired, observed);
  const changed = observed.limits === undefined ? LIMIT_NAMES : differing(limits, observed.limits);
  if (changed.some((name) => !isRate(name))) {
    steps.push({ type: 'setLimits', limits: { ...limits, ...ratesOf(observed.limits ?? limits) } });
  }
  if (changed.some(isRate)) steps.push({ type: 'setRates', rates: ratesOf(limits) });
  return steps.map((step) => [step]);
}

export const LIMIT_NAMES = ['cpus', 'memory', 'disk', 'pids', ...RATE_NAMES] as const;
export type LimitName = (typeof LIMIT_NAMES)[number];

const isRate = (name: LimitName): boolean => RATE_NAMES.some((rate) => rate === name);

const differing = (a: Limits, b: Limits): LimitName[] => LIMIT_NAMES.filter((name) => a[name] !== b[name]);

function reachable(desired: Desired, observed: Observed): Limits {
  const from = observed.limits ?? desired.limits;
  const pick = (name: LimitName): number => (desired.live[name] ? desired.limits : from)[name];
  return {
    ...{ cpus: pick('cpus'), memory: pick('memory'), disk: pick('disk'), pids: pick('pids') },
    ...{ diskReadRate: pick('diskReadRate'), diskWriteRate: pick('diskWriteRate') },
    ...{ diskReadOps: pick('diskReadOps'), diskWriteOps: pick('diskWriteOps') },
    ...{ networkInRate: pick('networkInRate'), networkOutRate: pick('networkOutRate') },
  };
}

/** Limits that differ from what is wanted and only change at the next start. */
export function waitingForRestart(desired: Desired, observed: Observed): LimitName[] {
  if (observed.machine !== 'running' && observed.machine !== 'paused') return [];
  if (observed.limits === undefined) return [];
  return differing(desired.limits, observed.limits).filter((name) => !desired.live[name]);
}

/** What is after a step has been done. */
export function applyStep(observed: Observed, step: Step): Observed {
  switch (step.type) {
    case 'createVolume':
    case 'cloneVolume':
      return { ...observed, volume: 'partial', volumeLimit: step.limit };
    case 'setVolumeLimit':
      return { ...observed, volumeLimit: step.limit };
    case 'populate':
    case 'individualize':
      return { ...observed, volume: 'filled' };
    case 'createSnapshot':
    case 'restoreSnapshot':
    case 'deleteSnapshot':
      return observed;
    case 'keepData':
      return observed;
    case 'convertData':
      return { ...observed, volumeLimit: undefined };
    case 'admit':
      return { ...observed, network: 'admitted' };
    case 'prepare':
      return { ...observed, machine: 'prepared', limits: step.limits };
    case 'connect':
      return { ...observed, network: 'connected' };
    case 'start':
    case 'resume':
      return { ...observed, machine: 'running' };
    case 'pause':
      return { ...observed, machine: 'paused' };
    case 'setLimits':
      return { ...observed, limits: step.limits };
    case 'setRates':
      return observed.limits === undefined
        ? observed
        : { ...observed, limits: { ...observed.limits, ...step.rates } };
    case 'shutdown':
      return { ...observed, machine: 'remains' };
    case 'remove':
      return { ...observed, machine: 'none', limits: undefined };
    case 'detach':
      return { ...observed, network: 'none' };
    case 'deleteVolume':
      return { ...observed, volume: 'none', volumeLimit: undefined };
    case 'forget':
      return { ...observed, recorded: false };
  }
}

/** What may be true once a step has begun, and until it is known to be done or undone. */
export function beginStep(observed: Observed, step: Step): Observed {
  switch (step.type) {
    case 'createVolume':
    case 'cloneVolume':
    case 'deleteVolume':
      return { ...observed, volume: 'partial' };
    case 'prepare':
      return { ...observed, machine: 'remains' };
    case 'admit':
      return { ...observed, network: 'admitted' };
    case 'keepData':
    case 'convertData':
    case 'setVolumeLimit':
    case 'populate':
    case 'individualize':
    case 'createSnapshot':
    case 'restoreSnapshot':
    case 'deleteSnapshot':
    case 'connect':
    case 'start':
    case 'pause':
    case 'resume':
    case 'setLimits':
    case 'setRates':
    case 'shutdown':
    case 'remove':
    case 'detach':
    case 'forget':
      return observed;
  }
}

/** The step that takes a step back, from what was before it; undefined when an earlier step's reverse does so too. */
export function reverseOf(step: Step, before: Observed): Step | undefined {
  switch (step.type) {
    case 'createVolume':
    case 'cloneVolume':
      return { type: 'deleteVolume' };
    case 'setVolumeLimit':
      return before.volumeLimit === undefined
        ? undefined
        : { type: 'setVolumeLimit', limit: before.volumeLimit };
    case 'admit':
      return { type: 'detach' };
    case 'prepare':
      return { type: 'remove' };
    case 'pause':
      return { type: 'resume' };
    case 'resume':
      return { type: 'pause' };
    case 'setLimits':
      return before.limits === undefined ? undefined : { type: 'setLimits', limits: before.limits };
    case 'setRates':
      return before.limits === undefined ? undefined : { type: 'setRates', rates: ratesOf(before.limits) };
    case 'keepData':
    case 'convertData':
    case 'populate':
    case 'individualize':
    case 'createSnapshot':
    case 'restoreSnapshot':
    case 'deleteSnapshot':
    case 'connect':
    case 'start':
    case 'shutdown':
    case 'remove':
    case 'detach':
    case 'deleteVolume':
    case 'forget':
      return undefined;
  }
}
