import { createWriteStream, statSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { MullionError } from '../contract/error-table.ts';
import type { Context } from './context.ts';
import { fileError } from './files.ts';
import { usage } from './parse.ts';

/** The file that REMOTE becomes: LOCAL, or its own name in the folder LOCAL. */
export function localTarget(remote: string, local: string): string {
  const isFolder = local.endsWith('/') || statSync(local, { throwIfNoEntry: false })?.isDirectory() === true;
  return isFolder ? join(local, basename(remote)) : local;
}

/** Standard output has room for a file or for a document. @throws invalid_request when it is to hold both */
export function refuseJsonBeside(context: Context, command: string, target: string): void {
  if (context.json && target === '-') {
    throw usage(command, 'Standard output holds the file, so there is no room for JSON: leave --json out.');
  }
}

/** Writes to standard output for `-`; a file has another name until it is whole. */
export async function saveStream(body: AsyncIterable<Uint8Array>, target: string): Promise<void> {
  if (target === '-') {
    await pipeline(body, process.stdout, { end: false });
    return;
  }
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
