import { changed, found, type Step } from './step.ts';

export const GROUP = 'mullion';

/** Members of this group may use the daemon's socket. */
export const groupStep: Step = {
  name: 'group',
  run: async ({ run }) => {
    const exists = await run(['getent', 'group', GROUP], { okCodes: [0, 2] });
    if (exists.code === 0) return found(`${GROUP} exists`);
    await run(['groupadd', '--system', '--force', GROUP]);
    return changed(`made the group ${GROUP}: its members may use mullion without sudo`);
  },
};
