import { type ChildProcess, spawn } from 'node:child_process';
import { attempt, type NetnsGuest } from './netns.ts';
import { eventually } from './scratch.ts';

export type Place = Pick<NetnsGuest, 'command'>;
/** The test's own network namespace: the host. */
export const host: Place = { command: (argv) => [...argv] };

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);

/** Answers each connection or datagram with a word and the address that it came from; ends with the scope. */
export async function serve(
  place: Place,
  protocol: 'tcp' | 'udp',
  port: number,
  word: string,
): Promise<AsyncDisposable> {
  const listen =
    protocol === 'tcp'
      ? `TCP6-LISTEN:${port},ipv6only=0,reuseaddr,fork`
      : `UDP6-RECVFROM:${port},ipv6only=0,reuseaddr,fork`;
  const server = start(place, [
    'socat',
    listen,
    `SYSTEM:${protocol === 'udp' ? 'read line; ' : ''}echo ${word} $SOCAT_PEERADDR`,
  ]);
  const file = protocol === 'tcp' ? 'tcp6' : 'udp6';
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  await eventually(`${word} listens on ${port}/${protocol}`, async () => {
    const { stdout } = await attempt(place.command(['cat', `/proc/self/net/${file}`]));
    return stdout.includes(suffix);
  });
  return server;
}

/** What the server there answers, or undefined when nobody does within a second. */
export async function ask(
  place: Place,
  protocol: 'tcp' | 'udp',
  address: string,
  port: number,
): Promise<string | undefined> {
  const family = address.includes(':') ? '6' : '4';
  const remote = `${protocol.toUpperCase()}${family}:${bracketed(address)}:${port}`;
  const argv =
    protocol === 'tcp'
      ? ['socat', '-u', '-T1', `${remote},connect-timeout=1`, 'STDOUT']
      : ['socat', '-t1', '-T1', '-', remote];
  const { stdout } = await attempt(place.command(argv), 'x\n');
  return stdout === '' ? undefined : stdout.trim();
}

export async function pings(place: Place, address: string): Promise<boolean> {
  return (await attempt(place.command(['busybox', 'ping', '-c1', '-W1', address]))).code === 0;
}

/** The addresses that a name server gives for a name, sorted. */
export async function lookUp(place: Place, server: string, name: string): Promise<string[]> {
  const { stdout } = await attempt(place.command(['busybox', 'nslookup', name, server]));
  const answers = stdout.slice(stdout.indexOf('\n\n'));
  return [...answers.matchAll(/^Address: (\S+)$/gm)].map(([, address]) => address ?? '').sort();
}

function start(place: Place, argv: readonly string[]): AsyncDisposable {
  const [program = '', ...rest] = place.command(argv);
  const child: ChildProcess = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...rest], {
    stdio: 'ignore',
  });
  return {
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    },
  };
}
