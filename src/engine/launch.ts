import { MullionError } from '../contract/errors.ts';
import { ratesOf } from '../contract/rates.ts';
import type { ImagePart, LaunchPlan } from '../contract/resources.ts';
import type { Task } from '../contract/tasks.ts';
import type { Technique } from '../contract/techniques.ts';
import type { LaunchRequest } from '../contract/vps.ts';
import { bootPartsOf, bootsItself } from '../core/boot-parts.ts';
import { type Demand, requireRates } from '../core/capacity.ts';
import { makeUpName } from '../core/made-up-names.ts';
import { NOTHING, plan } from '../core/plan.ts';
import { describeStep } from '../core/step-text.ts';
import type { Choice } from '../core/technique-choice.ts';
import type { ImageRecord } from '../images/image-store.ts';
import { demandOf, requireRoomOnDisk, requireRoomToRun } from './capacity-check.ts';
import { type Context, now, requireDriver } from './context.ts';
import { desiredOf } from './desired.ts';
import { requireImage } from './images.ts';
import { networkFor } from './networks.ts';
import { beginLife, freePlace, requireFreeName, UNBORN } from './new-vps.ts';
import { pursue } from './operate.ts';
import type { NetworkRecord, VpsRecord } from './records.ts';
import type { TaskRun } from './task-run.ts';
import type { Techniques } from './techniques.ts';
import type { TemplateNeeds } from './warm/template-key.ts';
import { dropTemplate, findTemplate, needsOf, requestTemplate } from './warm/templates.ts';

interface Draft {
  readonly project: string;
  readonly request: LaunchRequest;
  readonly image: ImageRecord;
  readonly choice: Choice;
  readonly demand: Demand;
  /** Absent: it is to boot. */
  readonly warm?: TemplateNeeds | undefined;
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
  return beginLife(context, 'vps.launch', record, (run) => live(context, draft, record, run));
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

async function live(context: Context, { warm }: Draft, record: VpsRecord, run: TaskRun): Promise<void> {
  if (warm !== undefined && record.copyOf === null) {
    run.warn('There is no memory template for it yet: it boots, and one is made for the next of its kind');
  }
  await pursue(context, record.id, run);
  if (warm === undefined) return;
  if (record.copyOf === null) await requestTemplate(context, warm);
  else if (context.state.vps.get(record.id) === undefined) {
    // Nothing may start from it again: the next one boots.
    const template = findTemplate(context, warm);
    if (template !== undefined) await dropTemplate(context, template);
  }
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
  const parts = [...image.parts, ...image.onDemand];
  const choice = await techniques.choose(request.technique, { name: image.name, parts }, request.want);
  requireOwnLoader(context, choice.technique, parts, request);
  const { cpus, memory, disk, pids } = request;
  const limits = { cpus, memory, disk, pids, ...ratesOf(request) };
  const demand = demandOf(context, choice.technique, limits, image.minimumDisk);
  requireRates(demand);
  await requireRoomOnDisk(context, demand);
  const draft = { project, request, image, choice, demand };
  if (!request.warm) return draft;
  const { technique } = choice;
  const warm = await needsOf(context, { project, imageId: image.id, technique, limits: demand.limits });
  if (warm !== undefined) return { ...draft, warm };
  throw new MullionError('not_supported', `The technique ${technique} has no warm start.`, {
    remedy: 'Launch it without --warm, or choose another technique: mullion techniques',
  });
}

/** Firmware and bus are chosen only for guests that boot by a loader of their own. @throws invalid_request */
function requireOwnLoader(
  context: Context,
  technique: Technique,
  parts: readonly ImagePart[],
  { image, firmware, bus }: LaunchRequest,
): void {
  if (firmware === undefined && bus === undefined) return;
  if (bootsItself(bootPartsOf(requireDriver(context, technique), technique), parts)) return;
  throw new MullionError(
    'invalid_request',
    `Mullion boots ${image} itself with the technique ${technique}: firmware and bus are not chosen.`,
    { remedy: 'Leave --firmware and --bus away' },
  );
}

function checkNow(context: Context, { project, request, image, demand }: Draft): void {
  context.state.requireProject(project);
  requireFreeName(context, project, request.name);
  if (requireImage(context, project, image.name).id !== image.id) {
    throw new MullionError('conflict', `The image ${image.name} was built anew at this moment.`, {
      remedy: 'Launch again',
    });
  }
  requireRoomToRun(context, demand);
}

function recordOf(context: Context, draft: Draft, network: NetworkRecord): VpsRecord {
  const { project, request, image, choice, demand, warm } = draft;
  const template = warm === undefined ? undefined : findTemplate(context, warm);
  return {
    ...UNBORN,
    ...freePlace(context, project, network),
    name: request.name ?? makeUpName((name) => context.state.findVps(project, name) !== undefined),
    project,
    technique: choice.technique,
    driver: requireDriver(context, choice.technique).name,
    reason: choice.reason,
    image: image.name,
    imageId: image.id,
    limits: demand.limits,
    env: request.env,
    sshKeys: request.sshKeys,
    ...(request.userData === undefined ? {} : { userData: request.userData }),
    firmware: request.firmware,
    bus: request.bus,
    network: network.name,
    createdAt: now(context),
    goal: request.start ? 'running' : 'stopped',
    restart: request.restart,
    autostart: request.autostart,
    copyOf: template === undefined ? null : { vps: template.id, template: true },
  };
}
