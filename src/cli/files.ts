import { readFileSync } from 'node:fs';
import { MullionError } from '../contract/error-table.ts';

/** The text of a file that the user named; `-` is standard input. @throws MullionError `invalid_request` */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (cause) {
    throw fileError(path, 'read', cause);
  }
}

/** A local file that cannot be used, as an error of the request. */
export function fileError(path: string, verb: string, cause: unknown): MullionError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  const reason = REASONS[code] ?? code;
  return new MullionError('invalid_request', `The file ${path} cannot be ${verb}: ${reason}.`, {
    remedy: 'Name another file, or correct its permissions',
    cause,
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is no folder',
  ENOSPC: 'no space is left',
};
