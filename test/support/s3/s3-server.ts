import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { inPrivateNetns } from '../netns.ts';
import { listens } from '../ports.ts';
import { eventually } from '../scratch.ts';

const PORT = 9200;
const MEMCACHE_PORT = PORT + 4;
/** Debian's Python, whose modules python3-swift brings. */
const PYTHON = '/usr/bin/python3';
const KINDS = ['account', 'container', 'object', 'proxy'] as const;
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/**
 * OpenStack Swift with its S3 API over TLS, in the network namespace of the test, whose mount namespace comes to trust
 * its certificate.
 */
export class S3Server implements AsyncDisposable {
  readonly url = `s3:https://127.0.0.1:${PORT}/bucket`;
  /** As the tools of AWS read it. */
  readonly credentials = '[default]\naws_access_key_id = test:tester\naws_secret_access_key = testing\n';
  readonly #folder: string;
  #children: ChildProcess[] = [];

  constructor(folder: string) {
    if (!inPrivateNetns()) throw new Error('a server of a test needs a netns of its own');
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    const certificate = join(folder, 'certificate.pem');
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'],
        ...[
          '-addext',
          'subjectAltName=IP:127.0.0.1',
          '-keyout',
          join(folder, 'key.pem'),
          '-out',
          certificate,
        ],
      ],
      { stdio: 'ignore' },
    );
    execFileSync(PYTHON, [script('swift-setup.py'), folder, String(PORT)]);
    execFileSync('mount', ['--bind', certificate, CERTIFICATES]);
  }

  /** What is missing on this host to run it. */
  static missing(): string | undefined {
    try {
      execFileSync(PYTHON, ['-c', 'import swift'], { stdio: 'ignore' });
      execFileSync('memcached', ['--version'], { stdio: 'ignore' });
      return undefined;
    } catch (failure) {
      return `not installed: python3-swift or memcached (${String(failure)})`;
    }
  }

  async start(): Promise<void> {
    const cache = ['memcached', '-u', 'nobody', '-l', '127.0.0.1', '-p', String(MEMCACHE_PORT), '-U', '0'];
    const servers = KINDS.map((kind) => [PYTHON, script('swift-server.py'), this.#folder, kind]);
    this.#children = [cache, ...servers].map((argv) =>
      spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...argv], { stdio: 'ignore' }),
    );
    for (const port of [MEMCACHE_PORT, PORT + 1, PORT + 2, PORT + 3, PORT]) {
      await eventually(`port ${port} listens`, () => listens(port), 60_000);
    }
  }

  async stop(): Promise<void> {
    const children = this.#children.splice(0);
    await Promise.all(
      children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await ended;
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    execFileSync('umount', [CERTIFICATES]);
  }
}

const script = (name: string): string => join(import.meta.dirname, name);
