import { mkdirSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import type { Peer } from '../../src/api/authentication.ts';
import type { ApiLimits } from '../../src/api/limits.ts';
import { type ListenOptions, startServer } from '../../src/api/server.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import { createNodeTransport } from '../../src/client/node-transport.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { EngineDeps } from '../../src/engine/engine.ts';
import { World } from './engine-world.ts';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface ApiWorldOptions {
  readonly peer?: Peer;
  readonly group?: number;
  readonly listen?: ListenOptions;
  readonly limits?: Partial<ApiLimits>;
  readonly engine?: Partial<EngineDeps>;
}

/** The API over an engine on the fake driver, on a socket of its own. */
export class ApiWorld implements AsyncDisposable {
  readonly world: World;
  readonly socketPath: string;
  readonly client: Client;
  readonly #close: () => Promise<void>;

  private constructor(world: World, socketPath: string, close: () => Promise<void>) {
    this.world = world;
    this.socketPath = socketPath;
    this.client = createClient(createNodeTransport({ socketPath }));
    this.#close = close;
  }

  static async start(options: ApiWorldOptions = {}): Promise<ApiWorld> {
    const world = new World();
    const engine = await world.open(options.engine);
    const folder = join(world.scratch.path, 'api');
    mkdirSync(folder);
    const socketPath = join(folder, 'api.sock');
    const server = await startServer({
      engine,
      version: '0.0.0',
      logger: silentLogger,
      socketPath,
      group: options.group,
      identify: () => options.peer ?? { uid: 0, gid: 0, groups: [] },
      listen: options.listen,
      limits: options.limits,
    });
    return new ApiWorld(world, socketPath, async () => {
      await server.close();
      await engine.close();
    });
  }

  /** A request as it stands, however wrong. */
  raw({ method, path, headers, body }: RawRequest): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
      const outgoing = httpRequest(
        { socketPath: this.socketPath, method, path, headers: { ...length, ...headers }, agent: false },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (piece: string) => {
            text += piece;
          });
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
          );
          response.on('error', reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  json(method: string, path: string, document: unknown): Promise<RawAnswer> {
    return this.raw({
      method,
      path,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(document),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    this.world[Symbol.dispose]();
  }
}
