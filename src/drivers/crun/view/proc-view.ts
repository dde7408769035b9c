/** What a VPS sees at a path below /proc in place of the kernel's file. */
export type Cover =
  | { readonly path: string; readonly by: 'nothing' }
  | { readonly path: string; readonly by: 'text'; readonly text: string };

/** Below /proc, of the host at large but counted for each VPS by lxcfs(1), which lies over what stands here. */
export const SHARES = ['cpuinfo', 'loadavg', 'meminfo', 'stat', 'swaps', 'uptime'];

/** What is true of a VPS without counting: shown while lxcfs is away. */
function withoutCounting({ processors, memory }: ProcFacts): Readonly<Record<string, string>> {
  const kib = Math.floor(memory / 1024);
  const each = Array.from({ length: processors }, (_, number) => number);
  return {
    cpuinfo: each.map((number) => `processor\t: ${number}\n\n`).join(''),
    loadavg: '0.00 0.00 0.00 1/1 1\n',
    meminfo: [
      `MemTotal: ${kib} kB`,
      `MemFree: ${kib} kB`,
      `MemAvailable: ${kib} kB`,
      'Buffers: 0 kB',
      'Cached: 0 kB',
      'SwapTotal: 0 kB',
      'SwapFree: 0 kB',
      '',
    ].join('\n'),
    stat: ['cpu', ...each.map((number) => `cpu${number}`)]
      .map((name) => `${name} 0 0 0 0 0 0 0 0 0 0\n`)
      .join(''),
    swaps: 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n',
    uptime: '0.00 0.00\n',
  };
}

/** Of the VPS's own namespaces, or the same on every server with this kernel. All else below /proc is covered. */
const OWN = ['filesystems', 'mounts', 'net', 'self', 'sys', 'sysvipc', 'thread-self', 'version'];

/** Settings that tell what the host is, what runs on it or how much memory it has. */
const SETTINGS: Readonly<Record<string, string>> = {
  'sys/fs/aio-nr': '0\n',
  'sys/fs/dentry-state': '0\t0\t45\t0\t0\t0\n',
  'sys/fs/epoll/max_user_watches': '1048576\n',
  'sys/fs/file-max': '1048576\n',
  'sys/fs/file-nr': '0\t0\t1048576\n',
  'sys/fs/inode-nr': '0\t0\n',
  'sys/fs/inode-state': '0\t0\t0\t0\t0\t0\t0\n',
  'sys/kernel/core_pattern': 'core\n',
  'sys/kernel/modprobe': '\n',
  'sys/kernel/pty/nr': '0\n',
  'sys/kernel/tainted': '0\n',
  'sys/kernel/threads-max': '126000\n',
  'sys/vm/min_free_kbytes': '45056\n',
  'sys/vm/user_reserve_kbytes': '65536\n',
  'sys/vm/stat_refresh': '',
};
/** Folders of settings of devices and of looking into the kernel. */
const HIDDEN_SETTINGS = [
  'sys/abi',
  'sys/debug',
  'sys/dev',
  'sys/sunrpc',
  'sys/kernel/usermodehelper',
  'sys/kernel/firmware_config',
];

export interface ProcFacts {
  /** Names below /proc on this host, without those of processes. */
  readonly names: readonly string[];
  /** Content of /proc/cgroups. */
  readonly controllers: string;
  readonly bootId: string;
  /** Processors and bytes of memory that the VPS is to see. */
  readonly processors: number;
  readonly memory: number;
}

/** All that is laid over /proc; what a kernel does not have is passed over when it is applied. */
export function coversOfProc(facts: ProcFacts): Cover[] {
  const texts: Readonly<Record<string, string>> = {
    cgroups: onlyOwnGroup(facts.controllers),
    cmdline: '\n',
    'sys/kernel/random/boot_id': `${facts.bootId}\n`,
    ...withoutCounting(facts),
    ...SETTINGS,
  };
  const nothing = facts.names.filter((name) => !OWN.includes(name) && !Object.hasOwn(texts, name));
  return [
    ...Object.entries(texts).map(([path, text]): Cover => ({ path, by: 'text', text })),
    ...[...nothing, ...HIDDEN_SETTINGS].map((path): Cover => ({ path, by: 'nothing' })),
  ];
}

/** Of proc(5), /proc/cgroups, the third field counts the groups of the whole host. */
const onlyOwnGroup = (text: string): string =>
  text.replaceAll(/^(\w+)\t(\d+)\t\d+\t(\d)$/gm, (_, name: string, hierarchy: string, on: string) =>
    [name, hierarchy, '1', on].join('\t'),
  );
