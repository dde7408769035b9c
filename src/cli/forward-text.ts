import type { Forward } from '../contract/vps.ts';
import { usage } from './parse.ts';

/** Reads `HOSTPORT:VPSPORT[/udp]`. */
export function readForward(text: string, command: string): Forward {
  const match = /^(\d{1,10}):(\d{1,10})(?:\/(tcp|udp))?$/.exec(text);
  if (match === null) {
    throw usage(
      command,
      `"${text}" is no forward; write it as HOSTPORT:VPSPORT, such as 8080:80 or 5353:53/udp.`,
    );
  }
  const hostPort = readPort(match[1] ?? '', command);
  const vpsPort = readPort(match[2] ?? '', command);
  return { hostPort, vpsPort, protocol: match[3] === 'udp' ? 'udp' : 'tcp' };
}

/** As `readForward`, but the VPS's port may be left out, as the host's alone says which one it is. */
export function readHostPort(text: string, command: string): Pick<Forward, 'hostPort' | 'protocol'> {
  const match = /^(\d{1,10})(?:\/(tcp|udp))?$/.exec(text);
  if (match === null) return readForward(text, command);
  return { hostPort: readPort(match[1] ?? '', command), protocol: match[2] === 'udp' ? 'udp' : 'tcp' };
}

function readPort(text: string, command: string): number {
  const port = Number(text);
  if (port < 1 || port > 65_535) throw usage(command, `${text} is no port: ports are 1 to 65535.`);
  return port;
}

export const formatForward = (forward: Forward): string =>
  `${forward.hostPort}:${forward.vpsPort}/${forward.protocol}`;
