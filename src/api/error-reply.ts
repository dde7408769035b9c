import { asMullionError, MullionError } from '../contract/errors.ts';

const BY_FASTIFY_CODE: Readonly<Record<string, () => MullionError>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: () => new MullionError('body_too_large', 'The request body is larger than 1M.'),
  FST_ERR_CTP_INVALID_MEDIA_TYPE: () =>
    new MullionError('unsupported_media_type', 'The request body is not of a type that this route reads.'),
};

/** What the client is told of a failure of a handler, of the HTTP layer, or of a body parser. */
export function replyError(thrown: unknown): MullionError {
  if (thrown instanceof MullionError || !(thrown instanceof Error)) return asMullionError(thrown);
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : '';
  const known = BY_FASTIFY_CODE[code];
  if (known !== undefined) return known();
  const status = 'statusCode' in thrown && typeof thrown.statusCode === 'number' ? thrown.statusCode : 500;
  if (status >= 400 && status < 500)
    return new MullionError('invalid_request', thrown.message, { cause: thrown });
  return asMullionError(thrown);
}
