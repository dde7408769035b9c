import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Facts = ReadonlyMap<string, string>;

/** Perl's text for the probe, which is handed to `perl -` in a guest. */
export const PROBE = join(import.meta.dirname, 'leak-probe.pl');
export const probeText = (): string => readFileSync(PROBE, 'utf8');

export function parseFacts(text: string): Facts {
  const lines = text.split('\n').filter((line) => line.includes('\t'));
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf('\t')), line.slice(line.indexOf('\t') + 1)]),
  );
}

/** Facts that tell one server from another, or what runs on it; all others are alike on every server with this kernel. */
const TELLING: readonly RegExp[] = [
  /^(meminfo|vmstat|pressure|stat|cpuinfo|loadavg|uptime|sysfs|sysinfo|clock|affinity|link|tool|processes|host name|kernel log)/,
  /^proc\.(?!(self|net|sysvipc))/,
  /^self\.(Cpus_allowed_list|uid_map)/,
  /^statfs\.\/(dev)?(null)?\./,
  /^sys\.(abi|debug|dev|user)\//,
  /^sys\.fs\/(aio-nr|dentry-state|epoll|file-max|file-nr|inode)/,
  /^sys\.kernel\/(core_pattern|hotplug|modprobe|ns_last_pid|pty\/nr|random\/boot_id|tainted|threads-max|usermodehelper|version|osrelease|hostname)/,
  /^sys\.vm\/(min_free_kbytes|lowmem_reserve_ratio|user_reserve_kbytes|admin_reserve_kbytes)/,
  /^sys\.net\/(netfilter\/nf_conntrack_(count|max|buckets)|core\/.*mem)/,
];
/** Constants of the kernel or its build, and sizes of pages. */
const ALIKE: readonly RegExp[] = [
  /^meminfo\.(VmallocTotal|Hugepagesize)$/,
  /^sysfs\.(class|bus|block|dev|devices|firmware|fs|kernel|module|power)?\.names$/,
  /^sysfs\.class\/(net|block)\.names$/,
  /^sysfs\.kernel\/mm\/transparent_hugepage/,
  /^proc\.swaps\.(lines|begins)$/,
  /^sys\.kernel\/core_pattern$/,
  /^sys\.vm\/(admin_reserve_kbytes|lowmem_reserve_ratio)$/,
  /^sys\.net\/core\//,
  /^proc\.filesystems\.lines$/,
  /^loadavg\.[345]$/,
  /^tool\.getconf (_NPROCESSORS)/,
];
const COUNTS = /(processors|nproc|NPROCESSORS\w+)( --all)?$/;

/** Facts of the host that a guest knows, by name. The host's are gathered twice, about the guest's. */
export function leaksOf(before: Facts, after: Facts, guest: Facts): string[] {
  return [...guest.keys()].filter((name) => {
    if (!TELLING.some((pattern) => pattern.test(name))) return false;
    if (ALIKE.some((pattern) => pattern.test(name)) && !COUNTS.test(name)) return false;
    const [first, last, own] = [before.get(name), after.get(name), guest.get(name)];
    if (first === undefined || last === undefined || own === undefined) return false;
    return isSame(first, last, own, COUNTS.test(name));
  });
}

/** Small numbers are equal by chance, unless they count processors; nothing and zero tell nothing. */
function isSame(first: string, last: string, own: string, counts: boolean): boolean {
  if (/^[\s0.-]*$/.test(own)) return false;
  const numbers = [first, last, own].map(Number);
  const [low = 0, high = 0, value = 0] = [
    ...numbers.slice(0, 2).sort((one, other) => one - other),
    numbers[2],
  ];
  if (numbers.some(Number.isNaN)) return own === first || own === last;
  if (counts) return value === low;
  if (value < 16) return false;
  return value < 1000 ? value === low || value === high : value >= low * 0.98 && value <= high * 1.02;
}

/** Rows `| \`fact\`, ... | reason |` of the table in docs/security.md; a star stands for anything. */
export function namedLeaks(document: string): RegExp[] {
  const section =
    document.split(/^### What a VPS of technique `os` still learns$/m)[1]?.split(/^#/m)[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows
    .flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))
    .map((name) => new RegExp(`^${name.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`));
}
