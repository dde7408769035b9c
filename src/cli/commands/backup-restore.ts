import { BACKUP } from '../backup-arguments.ts';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { localTarget, refuseJsonBeside, saveStream } from '../download.ts';
import { firstWait, followTask, handedOver } from '../follow.ts';
import { usage } from '../parse.ts';

export const command = defineCommand({
  summary: 'make a VPS from a backup, or bring one file back',
  description:
    'Needs nothing but the repository. Under its old name the VPS keeps its address and identity where they are free; under a new one it is another server. The old one must be deleted before it can be restored under its name. It joins the firewall groups that it was in, by name; a warning tells which of them the project does not have. Its image gets another name where its own is taken.\n\nWith --file PATH --to DEST only that file comes back, to this machine; - writes to standard output.',
  arguments: {
    id: BACKUP,
    name: { label: 'NEWNAME', summary: 'another name than it had', arity: 'optional' },
  },
  flags: {
    file: { kind: 'text', value: 'PATH', summary: 'only this file: an absolute path in the VPS' },
    to: {
      kind: 'text',
      value: 'DEST',
      summary: 'where the file goes: a local file or folder, or -',
      complete: 'file',
    },
    'no-start': { kind: 'boolean', summary: 'leave it stopped' },
  },
  examples: [
    { line: 'mullion backup restore 3eb933bb8f0b', does: 'the same VPS again' },
    { line: 'mullion backup restore 3eb933bb8f0b web2', does: 'beside the first' },
    { line: 'mullion backup restore 3eb933bb8f0b --file /etc/fstab --to .', does: 'one file' },
  ],
  seeAlso: ['backup list', 'backup repo add'],
  run: async (context, { arguments: { id, name }, flags: { file, to, 'no-start': noStart } }) => {
    if (file !== undefined || to !== undefined) {
      if (file === undefined || to === undefined) {
        throw usage('backup restore', '--file and --to go together.');
      }
      if (name !== undefined) throw usage('backup restore', 'One file needs no NEWNAME.');
      const target = to === '-' ? '-' : localTarget(file, to);
      refuseJsonBeside(context, 'backup restore', target);
      const query = { ...context.project, path: file };
      await saveStream(await context.client.stream('backups.file', { params: { id }, query }), target);
      if (target === '-') return 0;
      if (context.json) printJson(context, { id, path: file, local: target });
      else say(context, `${file} of the backup ${id} is copied to ${target}`);
      return 0;
    }
    const begun = await context.client.call('backups.restore', {
      params: { id },
      query: { ...context.project, wait: firstWait(context) },
      body: { ...(name === undefined ? {} : { name }), start: !noStart },
    });
    if (handedOver(context, begun)) return 0;
    const task = await followTask(context, begun);
    if (context.json) printJson(context, task);
    else say(context, `${task.target} is restored`);
    return 0;
  },
});
