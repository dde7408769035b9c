import { randomBytes } from 'node:crypto';
import { MullionError } from '../contract/errors.ts';
import type { LaunchPlan } from '../contract/resources.ts';
import type { Task } from '../contract/tasks.ts';
import type { LaunchRequest } from '../contract/vps.ts';
import { allocateAddress } from '../core/addresses.ts';
import type { Demand } from '../core/capacity.ts';
import { makeUpName } from '../core/made-up-names.ts';
import { macAddress, SLOTS } from '../core/naming.ts';
import { NOTHING, plan } from '../core/plan.ts';
import { NO_REVIVAL } from '../core/restart-policy.ts';
import { describeStep } from '../core/step-text.ts';
import type { Choice } from '../core/technique-choice.ts';
import type { ImageRecord } from '../images/image-store.ts';
import { demandOf, requireRoomOnDisk, requireRoomToRun } from './capacity-check.ts';
import { type Context, now, requireDriver } from './context.ts';
import { desiredOf } from './desired.ts';
import { requireImage } from './images.ts';
import { lowestFree, networkFor } from './networks.ts';
import { pursue } from './operate.ts';
import type { NetworkRecord, VpsRecord } from './records.ts';
import { claims, claimsOf } from './state.ts';
import type { Techniques } from './techniques.ts';

interface Draft {
  readonly project: string;
  readonly request: LaunchRequest;
  readonly image: ImageRecord;
  readonly choice: Choice;
  readonly demand: Demand;
}

/** Checks all that can be refused, and answers the task of the launch that began. */
export async function launch(
  context: Context,
  techniques: Techniques,
  project: string,
  request: LaunchRequest,
): Promise<Task> {
  const draft = await draftLaunch(context, techniques, project, request);
  const network = await networkFor(context, project, request.network);
  // From here to the queue nothing waits: what is free now is taken before another launch looks.
  checkNow(context, draft);
  const record = recordOf(context, draft, network);
  context.state.vps.set(record);
  const run = context.tasks.create({ kind: 'vps.launch', project, target: record.name, vps: record.id });
  run.begun = true;
  const accepted = Promise.withResolvers<void>();
  context.queue
    .run(record.id, async () => {
      try {
        await commitLaunch(context, record, context.tasks.save(run));
      } catch (failure) {
        context.state.vps.drop(record);
        context.tasks.discard(run);
        return accepted.reject(failure);
      }
      accepted.resolve();
      await pursue(context, record.id, run);
    })
    .catch((failure: unknown) => context.deps.logger.error('launch broke off', { vps: record.id, failure }));
  await accepted.promise;
  context.events.emit('vps.added', project, record.name, { id: record.id, task: run.id });
  return context.tasks.now(run.id);
}

/** What `launch` would do, refused for the same reasons. */
export async function planLaunch(
  context: Context,
  techniques: Techniques,
  project: string,
  request: LaunchRequest,
): Promise<LaunchPlan> {
  const draft = await draftLaunch(context, techniques, project, request);
  checkNow(context, draft);
  const network = await networkFor(context, project, request.network);
  const record = recordOf(context, draft, network);
  const stages = plan(desiredOf(context, record), { ...NOTHING, recorded: true });
  return {
    technique: draft.choice.technique,
    reason: draft.choice.reason,
    steps: stages.flat().map((step) => ({ action: step.type, description: describeStep(step) })),
  };
}

async function draftLaunch(
  context: Context,
  techniques: Techniques,
  project: string,
  request: LaunchRequest,
): Promise<Draft> {
  context.state.requireProject(project);
  const image = requireImage(context, project, request.image);
  requireFreeName(context, project, request.name);
  const choice = await techniques.choose(request.technique, image);
  const { cpus, memory, disk, pids } = request;
  const demand = demandOf(context, choice.technique, { cpus, memory, disk, pids }, image.minimumDisk);
  await requireRoomOnDisk(context, demand);
  return { project, request, image, choice, demand };
}

function checkNow(context: Context, { project, request, image, demand }: Draft): void {
  context.state.requireProject(project);
  requireFreeName(context, project, request.name);
  requireImage(context, project, image.name);
  requireRoomToRun(context, demand);
}

function requireFreeName(context: Context, project: string, name: string | undefined): void {
  if (name !== undefined && context.state.findVps(project, name) !== undefined)
    throw nameTaken(project, name);
}

const nameTaken = (project: string, name: string): MullionError =>
  new MullionError('already_exists', `The project ${project} has a VPS ${name} already.`, {
    remedy: `Choose another name, or delete it first: mullion delete ${name}`,
    details: { project, name },
  });

function recordOf(context: Context, draft: Draft, network: NetworkRecord): VpsRecord {
  const { project, request, image, choice, demand } = draft;
  const all = [...context.state.vps.values()];
  const slot = lowestFree(new Set(all.map((record) => record.slot)));
  if (slot >= SLOTS) {
    throw new MullionError('quota_exceeded', `This node holds at most ${SLOTS} VPSs.`, {
      remedy: 'Delete one first',
    });
  }
  const neighbours = all.filter((other) => other.project === project && other.network === network.name);
  const address = allocateAddress(network, new Set(neighbours.map(({ ipv4 }) => ipv4)));
  const id = freshId(new Set(all.map(({ mac }) => mac)));
  return {
    id,
    name: request.name ?? makeUpName((name) => context.state.findVps(project, name) !== undefined),
    project,
    slot,
    technique: choice.technique,
    driver: requireDriver(context, choice.technique).name,
    reason: choice.reason,
    image: image.name,
    imageId: image.id,
    limits: demand.limits,
    env: request.env,
    sshKeys: request.sshKeys,
    ...(request.userData === undefined ? {} : { userData: request.userData }),
    network: network.name,
    ...address,
    mac: macAddress(id),
    machineId: randomBytes(16).toString('hex'),
    forwards: [],
    createdAt: now(context),
    goal: request.start ? 'running' : 'stopped',
    bounce: false,
    shutdownMs: 0,
    state: 'creating',
    health: 'unknown',
    message: '',
    startedAt: null,
    observed: { recorded: true, volume: 'none', machine: 'none', network: 'none' },
    runtime: null,
    restart: request.restart,
    revival: NO_REVIVAL,
    lastWords: [],
    changed: [],
  };
}

/** The MAC comes of the id by a hash of 24 bits: one that another VPS has is passed over. */
function freshId(takenMacs: ReadonlySet<string>): string {
  for (;;) {
    const id = randomBytes(6).toString('hex');
    if (!takenMacs.has(macAddress(id))) return id;
  }
}

async function commitLaunch(
  context: Context,
  record: VpsRecord,
  saveTask: ReturnType<Context['tasks']['save']>,
): Promise<void> {
  const { state } = context;
  const keys = claimsOf(record);
  const puts = keys.map((key) => ({ type: 'put', key, value: record.id }) as const);
  if (await state.commit([state.vps.put(record), saveTask, ...puts], keys)) return;
  const name = await state.store.get(claims.name(record.project, record.name));
  if (name !== undefined) throw nameTaken(record.project, record.name);
  throw new MullionError('conflict', 'Something else took the same address at the same time.');
}
