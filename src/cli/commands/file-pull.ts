import { createWriteStream, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { MullionError } from '../../contract/error-table.ts';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { fileError } from '../files.ts';
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
    const body = await context.client.stream('files.pull', {
      params: { name },
      query: { ...context.project, path: remote },
    });
    if (target === '-') {
      await pipeline(body, process.stdout, { end: false });
      return 0;
    }
    await save(body, target);
    if (context.json) printJson(context, { name, path: remote, local: target });
    else say(context, `${name}:${remote} is copied to ${target}`);
    return 0;
  },
});

function localTarget(remote: string, local: string): string {
  const isFolder = local.endsWith('/') || statSync(local, { throwIfNoEntry: false })?.isDirectory() === true;
  return isFolder ? join(local, basename(remote)) : local;
}

/** Under another name until it is whole. */
async function save(body: AsyncIterable<Uint8Array>, target: string): Promise<void> {
  const partial = `${target}.part-${process.pid}`;
  try {
    await pipeline(body, createWriteStream(partial, { flags: 'wx' }));
    await rename(partial, target);
  } catch (cause) {
    await rm(partial, { force: true });
    if (cause instanceof MullionError) throw cause;
    if (cause instanceof Error && 'code' in cause && cause.code === 'ECONNRESET') {
      throw new MullionError('command_failed', 'The transfer broke off before the end of the file.', {
        cause,
      });
    }
    throw fileError(target, 'written', cause);
  }
}
