import { randomBytes } from 'node:crypto';
import type { Technique } from '../../contract/techniques.ts';
import type { Limits } from '../../contract/vps.ts';
import { volumeLimit } from '../../core/capacity.ts';
import { demandOf, requireRoomToRun } from '../capacity-check.ts';
import { type Context, now, requireDriver } from '../context.ts';
import { holdImage } from '../image-holds.ts';
import { requireImageParts } from '../images.ts';
import { startTask } from '../node-task.ts';
import type { TemplateRecord } from '../records.ts';
import type { TaskRun } from '../task-run.ts';
import { buildTemplate } from './build-template.ts';
import { type TemplateNeeds, templateKey, templateLimits } from './template-key.ts';

/** Templates boot one after another: each keeps a processor busy, and they have one range of ids. */
const QUEUE = 'templates';
/** Each takes as much of the pool as its guest uses of its memory. */
const MOST_OF_A_PROJECT = 4;

/** What a launch needs of a template, by this host's drivers as they are now. */
export async function needsOf(
  context: Context,
  vps: {
    readonly project: string;
    readonly imageId: string;
    readonly technique: Technique;
    readonly limits: Limits;
  },
): Promise<TemplateNeeds | undefined> {
  const driver = requireDriver(context, vps.technique);
  if (
    driver.warm === undefined ||
    !driver.features(vps.technique, requireImageParts(context, vps.imageId).parts).warmStart
  )
    return undefined;
  const { project, imageId, technique, limits } = vps;
  return { project, imageId, technique, limits, basis: await driver.warm.basis(technique) };
}

export function findTemplate(context: Context, needs: TemplateNeeds): TemplateRecord | undefined {
  const key = templateKey(needs);
  return [...context.state.templates.values()].find((template) => template.key === key);
}

/** Has a template made in the background, unless that is under way. */
export async function requestTemplate(context: Context, needs: TemplateNeeds): Promise<void> {
  const key = templateKey(needs);
  if (context.templatesUnderWay.has(key)) return;
  context.templatesUnderWay.add(key);
  const { name } = requireImageParts(context, needs.imageId);
  const subject = { kind: 'template.build', project: needs.project, target: name, vps: null };
  const release = (): void => void context.templatesUnderWay.delete(key);
  try {
    const work = (run: TaskRun): Promise<void> => makeTemplate(context, needs, key, run);
    await startTask(context, QUEUE, subject, work, { onEnd: release });
  } catch (failure) {
    release();
    throw failure;
  }
}

async function makeTemplate(
  context: Context,
  needs: TemplateNeeds,
  key: string,
  run: TaskRun,
): Promise<void> {
  await collectTemplates(context);
  if (findTemplate(context, needs) !== undefined) return;
  const { project, imageId, technique, basis } = needs;
  using _held = holdImage(context, imageId);
  const id = randomBytes(6).toString('hex');
  const limits = templateLimits(needs.limits);
  const { minimumDisk } = requireImageParts(context, imageId);
  const demand = demandOf(context, technique, limits, minimumDisk);
  requireRoomToRun(context, demand);
  context.scratchVolumes.add(id);
  try {
    await buildTemplate(context, id, needs, volumeLimit(limits.disk, demand.givesDisk), run);
    const record = { id, key, project, imageId, technique, basis, createdAt: now(context) };
    await context.state.commit([context.state.templates.put(record)]);
  } finally {
    context.scratchVolumes.delete(id);
  }
  await collectTemplates(context);
}

/** Drops templates that nothing can start from any more, and the oldest of a project that has many. Never throws. */
export async function collectTemplates(context: Context): Promise<void> {
  const { state, deps } = context;
  const { logger } = deps;
  const images = new Set(deps.images.list().map(({ id }) => id));
  const kept = new Map<string, number>();
  for (const template of [...state.templates.values()].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1))) {
    const driver = deps.drivers.get(template.technique);
    const basis = await driver?.warm?.basis(template.technique).catch(() => undefined);
    const count = (kept.get(template.project) ?? 0) + 1;
    const isOfUse =
      basis === template.basis &&
      images.has(template.imageId) &&
      state.projects.get(template.project) !== undefined &&
      count <= MOST_OF_A_PROJECT;
    if (isOfUse) kept.set(template.project, count);
    else
      await dropTemplate(context, template).catch((failure: unknown) =>
        logger.warn('a template cannot be deleted', { template: template.id, failure }),
      );
  }
}

/** After copies of it that are under way. The record goes first: a volume without one is taken away at the next start. */
export const dropTemplate = (context: Context, template: TemplateRecord): Promise<void> =>
  context.queue.run(template.id, async () => {
    const { state, deps } = context;
    if (state.templates.get(template.id) === undefined) return;
    await state.commit([state.templates.drop(template)]);
    await deps.pool.deleteVolume(template.id);
  });
