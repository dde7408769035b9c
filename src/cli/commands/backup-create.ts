import { REPO_FLAG } from '../backup-arguments.ts';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { firstWait, followTask, handedOver } from '../follow.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'back a VPS up',
  description:
    'The data is copied at one instant, and the VPS runs on. Only what changed since its last backup is stored, encrypted, with its definition and, once for each repository, its image: a restore elsewhere needs nothing of this host.\n\nWhat does not travel: snapshots, the memory of a VPS that runs, schedules, the network itself (its name does), and the rules of firewall groups (their names do).',
  arguments: { name: VPS },
  flags: { repo: REPO_FLAG },
  examples: [
    { line: 'mullion backup create web', does: 'into the only repository' },
    { line: 'mullion backup create web --repo nas', does: 'into another one' },
  ],
  seeAlso: ['backup list', 'backup restore', 'backup schedule set'],
  run: async (context, { arguments: { name }, flags: { repo } }) => {
    const begun = await context.client.call('backups.create', {
      query: { ...context.project, wait: firstWait(context) },
      body: { vps: name, ...(repo === undefined ? {} : { repository: repo }) },
    });
    if (handedOver(context, begun)) return 0;
    const task = await followTask(context, begun);
    if (context.json) printJson(context, task);
    else say(context, `${name} is backed up: ${task.progress.message ?? 'done'}`);
    return 0;
  },
});
