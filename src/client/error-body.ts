import { ERRORS, type ErrorBody, type ErrorCode, MullionError } from '../contract/error-table.ts';

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isErrorCode = (value: unknown): value is ErrorCode =>
  typeof value === 'string' && Object.hasOwn(ERRORS, value);

export function isErrorBody(value: unknown): value is ErrorBody {
  return (
    isRecord(value) &&
    isErrorCode(value.code) &&
    typeof value.message === 'string' &&
    typeof value.remedy === 'string' &&
    isRecord(value.details)
  );
}

/** The error that a failed answer carries; an answer that is none of ours becomes `internal`. */
export function errorOfBody(status: number, text: string): MullionError {
  const document = parseJson(text);
  if (isRecord(document) && isErrorBody(document.error)) return MullionError.fromBody(document.error);
  return new MullionError('internal', `The daemon answered ${status} with something unexpected.`, {
    remedy: 'Check that the client and the daemon are of the same version: mullion version',
    details: { status, body: text.slice(0, 500) },
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
