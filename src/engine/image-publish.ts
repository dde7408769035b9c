import { randomBytes } from 'node:crypto';
import type { PublishImageRequest } from '../contract/image-requests.ts';
import type { Task } from '../contract/tasks.ts';
import { copyVolume } from './backups/create.ts';
import { scratchVolume } from './backups/scratch-volume.ts';
import type { Context } from './context.ts';
import { holdImage } from './image-holds.ts';
import { progressOf, requireFree } from './image-transfer.ts';
import { collectReplaced } from './images.ts';
import { startTask } from './node-task.ts';
import { requireData, requireSnapshot } from './snapshots.ts';

/** Makes an image of a copy of the VPS's data, which the VPS itself does not notice. */
export async function publishImage(
  context: Context,
  project: string,
  request: PublishImageRequest,
): Promise<Task> {
  const { name, vps, snapshot } = request;
  const record = context.state.requireVps(project, vps);
  requireData(record);
  if (snapshot !== undefined) requireSnapshot(record, snapshot);
  requireFree(context, project, request);
  const subject = { kind: 'image.publish', project, target: name, vps: null };
  return startTask(context, `image:${project}/${name}`, subject, async (run) => {
    requireFree(context, project, request);
    using _held = holdImage(context, record.imageId);
    await using copy = await scratchVolume(context, `publish-${randomBytes(8).toString('hex')}`);
    run.progress.advanceTo('copy its data at one instant');
    await copyVolume(context, record, copy.id, snapshot);
    const origin = snapshot === undefined ? `VPS ${vps}` : `VPS ${vps}, snapshot ${snapshot}`;
    const source = { volume: copy.path, base: record.imageId };
    const taken = await context.deps.images.publish(
      project,
      { name, origin },
      source,
      progressOf(run),
      run.signal,
    );
    for (const warning of taken.warnings) run.warn(warning);
    context.events.emit('image.added', project, name, { id: taken.record.id, task: run.id });
    await collectReplaced(context);
  });
}
