import { MullionError } from '../contract/errors.ts';
import type { Task } from '../contract/tasks.ts';
import type { ImageProgress, TakenImage } from '../images/image-store.ts';
import type { Context } from './context.ts';
import type { ImageVerbs } from './contract.ts';
import { holdImage } from './image-holds.ts';
import { collectReplaced, requireImage } from './images.ts';
import { startTask } from './node-task.ts';
import type { TaskRun } from './task-run.ts';
import { Transfers } from './transfers.ts';

type TransferVerbs = Pick<ImageVerbs, 'import' | 'pull' | 'export' | 'upload' | 'download'>;

/** Images that come from elsewhere and go there. */
export function imageTransferVerbs(context: Context): TransferVerbs {
  const { deps } = context;
  const transfers = new Transfers();
  return {
    import: (project, request) =>
      take(context, project, request, 'image.import', transfers, (run, onProgress) =>
        transfers.receive(run.id, run.signal, (content) =>
          deps.images.import(project, request, content, onProgress, run.signal),
        ),
      ),
    pull: (project, request) =>
      take(context, project, request, 'image.pull', undefined, (run, onProgress) =>
        deps.images.pull(project, request, onProgress, run.signal),
      ),
    async export(project, name, { format }) {
      const image = requireImage(context, project, name);
      const subject = { kind: 'image.export', project, target: name, vps: null };
      const work = async (run: TaskRun): Promise<void> => {
        {
          using _held = holdImage(context, image.id);
          await using file = await deps.images.export(image.id, format, progressOf(run), run.signal);
          const node = run.progress.advanceTo('send');
          await transfers.give(run.id, file, (measure) => node.measure(measure), run.signal);
        }
        await collectReplaced(context);
      };
      return startTask(context, `image:${project}/${name}/export`, subject, work, {
        onStart: (run) => transfers.promise(run.id),
        onEnd: (run, failure) => transfers.close(run.id, failure),
      });
    },
    upload: (task, content) => transfers.upload(task, content),
    download: (task) => transfers.download(task),
  };
}

export const progressOf =
  (run: TaskRun): ((progress: ImageProgress) => void) =>
  ({ step, ...measure }) => {
    run.progress.advanceTo(step).measure(measure);
  };

/** Starts the task that brings a new image of a name. */
async function take(
  context: Context,
  project: string,
  request: {
    readonly name: string;
    readonly replace: boolean;
    readonly kernelFrom?: string | undefined;
  },
  kind: string,
  transfers: Transfers | undefined,
  work: (run: TaskRun, onProgress: (progress: ImageProgress) => void) => Promise<TakenImage>,
): Promise<Task> {
  requireFree(context, project, request);
  const subject = { kind, project, target: request.name, vps: null };
  return startTask(
    context,
    `image:${project}/${request.name}`,
    subject,
    async (run) => {
      requireFree(context, project, request);
      {
        const { kernelFrom } = request;
        const lender = kernelFrom === undefined ? undefined : context.deps.images.find(project, kernelFrom);
        using _held = lender === undefined ? undefined : holdImage(context, lender.id);
        const { record, warnings } = await work(run, progressOf(run));
        for (const warning of warnings) run.warn(warning);
        context.events.emit('image.added', project, record.name, { id: record.id, task: run.id });
      }
      await collectReplaced(context);
    },
    {
      onStart: (run) => transfers?.expect(run.id),
      onEnd: (run, failure) => transfers?.close(run.id, failure),
    },
  );
}

/** @throws already_exists unless the new image is to take the place of the old one */
export function requireFree(
  context: Context,
  project: string,
  { name, replace }: { readonly name: string; readonly replace: boolean },
): void {
  context.state.requireProject(project);
  if (replace || context.deps.images.find(project, name)?.project !== project) return;
  throw new MullionError('already_exists', `The project ${project} has an image ${name} already.`, {
    remedy: 'Choose another name, or take its place with --replace',
    details: { project, image: name },
  });
}
