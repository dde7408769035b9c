import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inPrivateNetns } from './netns.ts';
import { listens } from './ports.ts';
import { eventually } from './scratch.ts';

const PORT = 2222;

/** OpenSSH's server with nothing but SFTP, in the network namespace of the test, for root with one key. */
export class SftpServer implements AsyncDisposable {
  readonly userKey: string;
  readonly knownHosts: string;
  readonly #config: string;
  #child: ChildProcess | undefined;

  constructor(folder: string) {
    if (!inPrivateNetns()) throw new Error('a server of a test needs a netns of its own');
    mkdirSync(folder, { recursive: true });
    for (const name of ['host', 'user', 'stranger']) {
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
    }
    this.userKey = readFileSync(join(folder, 'user'), 'utf8');
    this.knownHosts = knownHosts(join(folder, 'host.pub'));
    this.#config = join(folder, 'sshd_config');
    writeFileSync(join(folder, 'authorized'), readFileSync(join(folder, 'user.pub')));
    writeFileSync(
      this.#config,
      [
        `Port ${PORT}`,
        'ListenAddress 127.0.0.1',
        `HostKey ${join(folder, 'host')}`,
        `AuthorizedKeysFile ${join(folder, 'authorized')}`,
        'StrictModes no',
        'UsePAM no',
        'PermitRootLogin prohibit-password',
        'PasswordAuthentication no',
        'Subsystem sftp internal-sftp',
        'ForceCommand internal-sftp',
        'PidFile none',
        '',
      ].join('\n'),
    );
  }

  async start(): Promise<void> {
    mkdirSync('/run/sshd', { recursive: true });
    this.#child = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', '/usr/sbin/sshd', '-D', '-e', '-f', this.#config],
      {
        stdio: 'ignore',
      },
    );
    await eventually('sshd listens', () => listens(PORT), 20_000);
  }

  url(folder: string): string {
    return `sftp://root@127.0.0.1:${PORT}/${folder}`;
  }

  /** Ends the server with every connection. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.pid === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    // Sessions are in process groups of their own.
    for (const pid of [...descendantsOf(child.pid), child.pid]) killQuietly(pid);
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

export const knownHosts = (publicKeyFile: string): string =>
  `[127.0.0.1]:${PORT} ${readFileSync(publicKeyFile, 'utf8')}`;

function descendantsOf(pid: number): number[] {
  let children: string;
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  } catch {
    return [];
  }
  return children
    .split(' ')
    .filter((text) => text !== '')
    .flatMap((text) => [Number(text), ...descendantsOf(Number(text))]);
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
