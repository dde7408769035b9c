import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type DebianArchive, renderSources } from '../../src/images/apt-sources.ts';

/** A Debian mirror on the loopback that hands on this host's own, and can be lost. */
export interface TestMirror extends AsyncDisposable {
  /** Package files that were given whole. */
  readonly served: string[];
  /** Package files it still gives before it breaks off; undefined for no limit. */
  remaining: number | undefined;
  /** Writes apt's sources for it below `folder`; answers the folder. */
  sourcesIn(folder: string): string;
}

/**
 * Ends the connection behind all that was written to it. A reset would take away what the other side has not read yet,
 * and apt asks for ten files at once.
 */
const breakOff = ({ socket }: IncomingMessage): void => void socket.end();

/** Only for an archive reached by HTTP. */
export async function startMirror(archive: DebianArchive): Promise<TestMirror> {
  const upstream: Readonly<Record<string, string>> = {
    debian: archive.main.replace(/\/$/, ''),
    'debian-security': (archive.security?.uri ?? archive.main).replace(/\/$/, ''),
  };
  const server = createServer((request, response) => {
    handOn(request, response).catch(() => breakOff(request));
  });
  const handOn = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [, root = '', path = ''] = /^\/(debian|debian-security)\/(.*)$/.exec(request.url ?? '') ?? [];
    if (path.endsWith('.deb')) {
      if (mirror.remaining === 0) {
        breakOff(request);
        return;
      }
      if (mirror.remaining !== undefined) mirror.remaining -= 1;
    }
    const headers = Object.fromEntries(
      ['range', 'if-range', 'if-modified-since'].flatMap((name) => {
        const value = request.headers[name];
        return typeof value === 'string' ? [[name, value]] : [];
      }),
    );
    const answer = await fetch(`${upstream[root]}/${path}`, { headers });
    const passed = ['content-length', 'content-range', 'last-modified'].flatMap((name) => {
      const value = answer.headers.get(name);
      return value === null ? [] : [[name, value] as const];
    });
    response.writeHead(answer.status, Object.fromEntries(passed));
    if (answer.body === null) response.end();
    else await pipeline(Readable.fromWeb(answer.body), response);
    if (path.endsWith('.deb')) mirror.served.push(path);
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const mirror: TestMirror = {
    served: [],
    remaining: undefined,
    sourcesIn(folder) {
      mkdirSync(join(folder, 'sources.list.d'), { recursive: true });
      const uri = (name: string): string => `http://127.0.0.1:${port}/${name}`;
      const local: DebianArchive = {
        ...archive,
        main: uri('debian'),
        security: archive.security && { ...archive.security, uri: uri('debian-security') },
      };
      writeFileSync(join(folder, 'sources.list.d/debian.sources'), renderSources(local, 'bookworm'));
      return folder;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return mirror;
}
