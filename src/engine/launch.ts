import { MullionError } from '../contract/errors.ts';
import type { ImagePart, LaunchPlan } from '../contract/resources.ts';
import type { Task } from '../contract/tasks.ts';
import type { Technique } from '../contract/techniques.ts';
import type { LaunchRequest } from '../contract/vps.ts';
import { bootPartsOf, bootsItself } from '../core/boot-parts.ts';
import type { Demand } from '../core/capacity.ts';
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
import type { NetworkRecord, VpsRecord } from './records.ts';
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
  return beginLife(context, 'vps.launch', record);
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
  const parts = [...image.parts, ...image.onDemand];
  const choice = await techniques.choose(request.technique, { name: image.name, parts }, request.want);
  requireOwnLoader(context, choice.technique, parts, request);
  const { cpus, memory, disk, pids } = request;
  const demand = demandOf(context, choice.technique, { cpus, memory, disk, pids }, image.minimumDisk);
  await requireRoomOnDisk(context, demand);
  return { project, request, image, choice, demand };
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
  const { project, request, image, choice, demand } = draft;
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
    copyOf: null,
  };
}
