import { spawn } from 'node:child_process';
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
  await listens(place, `${protocol}6`, port);
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

export interface Collector extends AsyncDisposable {
  /** All lines so far, once `last` is among them. */
  until(last: string): Promise<string[]>;
}

/** Writes down the lines of every datagram that arrives on a port. */
export async function collect(place: Place, port: number): Promise<Collector> {
  let text = '';
  const server = start(place, ['socat', '-u', `UDP6-RECV:${port},ipv6only=0`, 'STDOUT'], (piece) => {
    text += piece;
  });
  await listens(place, 'udp6', port);
  const lines = (): string[] => text.split('\n').filter((line) => line !== '');
  return {
    until: async (last) => {
      await eventually(`"${last}" arrives, after ${text}`, () => lines().includes(last));
      return lines();
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
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

/** Waits until a port of a file of /proc/net, such as tcp, is listened on. */
export async function listens(place: Place, file: string, port: number): Promise<void> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  await eventually(`something listens on port ${port} of ${file}`, async () => {
    const { stdout } = await attempt(place.command(['cat', `/proc/self/net/${file}`]));
    return stdout.includes(suffix);
  });
}

function start(place: Place, argv: readonly string[], hear?: (text: string) => void): AsyncDisposable {
  const [program = '', ...rest] = place.command(argv);
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...rest], {
    stdio: ['ignore', hear === undefined ? 'ignore' : 'pipe', 'ignore'],
  });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => hear?.(text));
  return {
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    },
  };
}
