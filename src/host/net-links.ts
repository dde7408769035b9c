import { readFileSync } from 'node:fs';

export interface LinkStatistics {
  readonly rxBytes: number;
  readonly txBytes: number;
}

/**
 * Bytes that a link of the daemon's own network namespace has received and sent, from the host's side of it; undefined
 * when there is no such link. /sys is not asked: it shows the namespace it was mounted in.
 */
export const linkStatistics = (name: string): LinkStatistics | undefined => allLinkStatistics().get(name);

export const allLinkStatistics = (): Map<string, LinkStatistics> =>
  parseNetDev(readFileSync('/proc/thread-self/net/dev', 'utf8'));

/** proc(5), /proc/net/dev: eight columns received, eight sent. */
export function parseNetDev(text: string): Map<string, LinkStatistics> {
  const links = new Map<string, LinkStatistics>();
  for (const line of text.split('\n').slice(2)) {
    const colon = line.lastIndexOf(':');
    if (colon < 0) continue;
    const columns = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    links.set(line.slice(0, colon).trim(), { rxBytes: columns[0] ?? 0, txBytes: columns[8] ?? 0 });
  }
  return links;
}
