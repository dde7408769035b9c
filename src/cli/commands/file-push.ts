import { createReadStream, statSync } from 'node:fs';
import { basename } from 'node:path';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { fileError } from '../files.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'copy a local file into a VPS',
  description:
    'The file is streamed, whatever its size, and takes its permission bits along unless --mode gives others. A remote path that ends in / is a folder, into which the file goes under its own name. - reads standard input.',
  arguments: {
    name: VPS,
    local: { label: 'LOCAL', summary: 'a local file, or - for standard input', complete: 'file' },
    remote: { label: 'REMOTE', summary: 'an absolute path in the VPS' },
  },
  flags: { mode: { kind: 'text', value: 'OCTAL', summary: 'permission bits, such as 755' } },
  examples: [
    { line: 'mullion file push web index.html /srv/www/', does: 'into a folder' },
    { line: 'echo hello | mullion file push web - /etc/motd', does: 'from a pipe' },
  ],
  seeAlso: ['file pull', 'file list'],
  run: async (context, { arguments: { name, local, remote }, flags }) => {
    const path = remote.endsWith('/') ? remote + (local === '-' ? 'stdin' : basename(local)) : remote;
    const mode = flags.mode ?? (local === '-' ? undefined : localMode(local));
    await context.client.upload(
      'files.push',
      { params: { name }, query: { ...context.project, path, ...(mode === undefined ? {} : { mode }) } },
      local === '-' ? process.stdin : createReadStream(local),
    );
    if (context.json) printJson(context, { name, path });
    else say(context, `${local} is copied to ${name}:${path}`);
    return 0;
  },
});

function localMode(path: string): string {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    return (stat.mode & 0o777).toString(8).padStart(3, '0');
  } catch (cause) {
    throw fileError(path, 'read', cause);
  }
}
