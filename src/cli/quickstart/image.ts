import { followTask } from './follow-task.ts';
import { changed, found, type Step } from './step.ts';

export const FIRST_IMAGE = 'debian/12';

/** Has the first image built from the machine's own Debian mirror. A build that failed or was killed is resumed. */
export const imageStep: Step = {
  name: `image ${FIRST_IMAGE}`,
  run: async ({ client, signal }, report) => {
    const images = await client.call('images.list');
    if (images.some(({ name }) => name === FIRST_IMAGE)) return found('is there');
    const task = await client.call('images.build', { body: { name: FIRST_IMAGE }, signal });
    await followTask(client, task, report, signal);
    return changed('built');
  },
};
