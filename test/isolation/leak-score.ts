import { existsSync, readFileSync } from 'node:fs';
import { cpus, networkInterfaces, release, version } from 'node:os';
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
  /^(meminfo|vmstat|pressure|stat|cpuinfo|loadavg|uptime|sysfs|sysinfo|clock|affinity|cgroup|ns|number|link|tool|processes|host name|kernel log)/,
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
  /^loadavg\.[35]$/,
  // Limits of a group that has none, and the controllers of a kernel.
  /^cgroup\.(cpu\.(max|shares|weight)|memory\.(max|limit_in_bytes)|pids\.max|cgroup\.controllers)$/,
  /^tool\.getconf (_NPROCESSORS)/,
];
const COUNTS = /(processors|nproc|NPROCESSORS\w+)( --all)?$/;

/** What a kernel tells of itself and of Linux: it is the host's only where the host's kernel tells it. */
const OF_ITS_OWN: readonly RegExp[] = [
  /^proc\.(.*\.names|execdomains\.begins|.*\.lines|(version|filesystems)\.begins)$/,
  /^sys\.kernel\/(usermodehelper\/|osrelease$|version$)/,
  /^sysfs\..*\.names$/,
  /^(self\.uid_map|tool\.uname)$/,
  // The first of each kind has the same number in every kernel (include/linux/proc_ns.h).
  /^ns\./,
];
/** What a virtual machine tells wherever it runs (target/i386/cpu.c of QEMU), also of a host that is one itself. */
const OF_ANY_MACHINE: readonly (readonly [RegExp, string])[] = [
  [/^cpuinfo\.microcode$/, '0x1000065'],
  [/^sysfs\.devices\/system\/cpu\/vulnerabilities\//, 'Not affected'],
  [/^sysfs\.devices\/system\/clocksource\/clocksource0\/current_clocksource$/, 'tsc'],
];
/** How far a number of the host may be off that a guest of the same kernel is told a moment later. */
const MOMENT = 0.02;

/**
 * Facts of the host that a guest knows, by name: those that are the same, and those that contain one of `words`. The host's
 * are gathered twice, about the guest's. Numbers of a guest with a kernel of its own are near the host's by chance.
 */
export function leaksOf(
  [before, after]: readonly [Facts, Facts],
  guest: Facts,
  words: readonly string[] = [],
  hasOwnKernel = false,
): string[] {
  const moment = hasOwnKernel ? 0 : MOMENT;
  const isOwn = (name: string): boolean =>
    hasOwnKernel &&
    (OF_ITS_OWN.some((pattern) => pattern.test(name)) ||
      OF_ANY_MACHINE.some(([pattern, value]) => pattern.test(name) && guest.get(name) === value));
  const known = new Set([...sameFacts(before, after, guest, moment), ...mentions(guest, words)]);
  return [...known].filter((name) => !isOwn(name));
}

function sameFacts(before: Facts, after: Facts, guest: Facts, moment: number): string[] {
  return [...guest.keys()].filter((name) => {
    if (!TELLING.some((pattern) => pattern.test(name))) return false;
    if (ALIKE.some((pattern) => pattern.test(name)) && !COUNTS.test(name)) return false;
    const [first, last, own] = [before.get(name), after.get(name), guest.get(name)];
    if (first === undefined || last === undefined || own === undefined) return false;
    return isSame(first, last, own, COUNTS.test(name), moment);
  });
}

/** Words by which one server is told from another: its kernel, processor, ids and addresses. */
export const hostWords = (): string[] => {
  const ids = ['/etc/machine-id', '/proc/sys/kernel/random/boot_id'].filter((path) => existsSync(path));
  const addresses = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ mac }) => mac));
  return [
    ...[release(), version(), cpus()[0]?.model ?? ''],
    ...ids.map((path) => readFileSync(path, 'utf8').trim()),
    ...addresses.filter((mac) => mac !== '00:00:00:00:00:00'),
  ].filter((word) => word.length > 3);
};

const mentions = (guest: Facts, words: readonly string[]): string[] =>
  [...guest].filter(([, value]) => words.some((word) => value.includes(word))).map(([name]) => name);

/** Small numbers are equal by chance, unless they count processors; nothing and zero tell nothing. */
function isSame(first: string, last: string, own: string, counts: boolean, moment: number): boolean {
  if (/^[\s0.-]*$/.test(own)) return false;
  const numbers = [first, last, own].map(Number);
  const [low = 0, high = 0, value = 0] = [
    ...numbers.slice(0, 2).sort((one, other) => one - other),
    numbers[2],
  ];
  if (numbers.some(Number.isNaN)) return own === first || own === last;
  if (counts) return value === low;
  if (value < 16) return false;
  return value < 1000
    ? value === low || value === high
    : value >= low * (1 - moment) && value <= high * (1 + moment);
}

/** Rows `| \`fact\`, ... | reason |` of a technique's table in docs/security.md; a star stands for anything. */
export function namedLeaks(document: string, technique: string): RegExp[] {
  const heading = `### What a VPS of technique \`${technique}\` still learns\n`;
  const section = document.split(heading)[1]?.split(/^#/m)[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows
    .flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))
    .map((name) => new RegExp(`^${name.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`));
}
