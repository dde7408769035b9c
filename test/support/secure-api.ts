import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { type Client, createClient } from '../../src/client/client.ts';
import { createNodeTransport } from '../../src/client/node-transport.ts';
import { MullionError } from '../../src/contract/error-table.ts';
import type { CreateTokenRequest } from '../../src/contract/tokens.ts';
import { ApiWorld, type ApiWorldOptions } from './api-world.ts';
import { scratchDirectory } from './scratch.ts';
import { listenLocally } from './tls.ts';

export interface SecureApi {
  readonly api: ApiWorld;
  readonly url: string;
  readonly port: number;
  bearer(token: string): Client;
  token(request: Partial<CreateTokenRequest> & { name: string }): Promise<Client>;
}

/** An API that also listens on the loopback, with TLS. */
export function secured(
  title: string,
  body: (world: SecureApi) => Promise<void>,
  options: ApiWorldOptions = {},
): void {
  test(title, async (t: TestContext) => {
    using scratch = scratchDirectory('tls');
    const listen = await listenLocally(scratch.path);
    if (listen === undefined) return t.skip('no port of the loopback can be listened on');
    await using api = await ApiWorld.start({ ...options, listen });
    const url = `https://127.0.0.1:${listen.port}`;
    const authority = readFileSync(listen.certificate, 'utf8');
    const bearer = (token: string) => createClient(createNodeTransport({ url, authority, token }));
    await body({
      api,
      url,
      port: listen.port,
      bearer,
      token: async (request) => bearer((await api.client.call('tokens.create', { body: request })).token),
    });
    return undefined;
  });
}

export const refused =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof MullionError && error.code === code;

/** A token of the right form that nobody has. */
export const GUESS = `mullion_${'0'.repeat(16)}_${'x'.repeat(43)}`;
