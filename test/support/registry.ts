import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/host/run.ts';
import { eventually } from './scratch.ts';

const PORT = 15_443;
export const REGISTRY = `localhost:${PORT}`;
export const LOGIN = { user: 'tester', password: 'a secret of the test' } as const;

interface PushOptions {
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Debian's docker-registry on loopback with TLS and a login. Only in a network namespace of the test's own. */
export async function startRegistry(folder: string): Promise<
  AsyncDisposable & {
    readonly authority: string;
    /** `options` and `env` are for skopeo-copy(1). */
    push(archive: string, name: string, how?: PushOptions): Promise<void>;
    /** Answers nobody until `goOn`. */
    stall(): void;
    goOn(): void;
  }
> {
  const at = (name: string): string => join(folder, name);
  mkdirSync(at('data'), { recursive: true });
  await run([
    ...['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=DNS:localhost', '-keyout', at('key.pem'), '-out', at('authority.crt')],
  ]);
  const { stdout } = await run(['htpasswd', '-Bbn', LOGIN.user, LOGIN.password]);
  writeFileSync(at('htpasswd'), stdout);
  writeFileSync(
    at('config.yml'),
    [
      'version: 0.1',
      'log: {level: error}',
      `storage: {filesystem: {rootdirectory: ${at('data')}}, delete: {enabled: true}}`,
      `http: {addr: "127.0.0.1:${PORT}", tls: {certificate: ${at('authority.crt')}, key: ${at('key.pem')}}}`,
      `auth: {htpasswd: {realm: test, path: ${at('htpasswd')}}}`,
    ].join('\n'),
  );
  const child = spawn('docker-registry', ['serve', at('config.yml')], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const credentials = `${LOGIN.user}:${LOGIN.password}`;
  await eventually(
    'the registry answers',
    async () => {
      const url = `https://${REGISTRY}/v2/`;
      const { code } = await run(
        ['openssl', 's_client', '-connect', REGISTRY, '-CAfile', at('authority.crt'), '-verify_return_error'],
        { okCodes: [0, 1], stdin: `HEAD ${url}\n` },
      );
      return code === 0;
    },
    15_000,
  );
  return {
    authority: at('authority.crt'),
    stall: () => void child.kill('SIGSTOP'),
    goOn: () => void child.kill('SIGCONT'),
    push: async (archive, name, { options = [], env } = {}) => {
      await run(
        [
          ...[
            'skopeo',
            '--insecure-policy',
            'copy',
            '--quiet',
            '--dest-cert-dir',
            folder,
            '--dest-creds',
            credentials,
          ],
          ...options,
          ...[archive, `docker://${REGISTRY}/${name}`],
        ],
        { env },
      );
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
