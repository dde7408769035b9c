import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { localTarget, refuseJsonBeside, saveStream } from '../download.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'copy a file of a VPS here',
  description:
    'The file is streamed, whatever its size. Without LOCAL it goes into the current folder under its own name; - writes to standard output. A transfer that fails leaves no half file.',
  arguments: {
    name: VPS,
    remote: { label: 'REMOTE', summary: 'an absolute path in the VPS' },
    local: { label: 'LOCAL', summary: 'a local file or folder, or -', arity: 'optional', complete: 'file' },
  },
  flags: {},
  examples: [
    { line: 'mullion file pull web /etc/hostname', does: 'into the current folder' },
    { line: 'mullion file pull web /var/log/syslog - | grep error', does: 'into a pipe' },
  ],
  seeAlso: ['file push', 'file list'],
  run: async (context, { arguments: { name, remote, local } }) => {
    const target = local === '-' ? '-' : localTarget(remote, local ?? '.');
    refuseJsonBeside(context, 'file pull', target);
    const body = await context.client.stream('files.pull', {
      params: { name },
      query: { ...context.project, path: remote },
    });
    await saveStream(body, target);
    if (target === '-') return 0;
    if (context.json) printJson(context, { name, path: remote, local: target });
    else say(context, `${name}:${remote} is copied to ${target}`);
    return 0;
  },
});
