/** A tree of files: a text, or a folder. */
export interface Tree {
  readonly [name: string]: string | Tree;
}

export interface SysFacts {
  /** Processors that the VPS is to see. */
  readonly processors: number;
  /** Content of /sys/kernel/cgroup/delegate and of features beside it. */
  readonly delegate: string;
  readonly features: string;
}

/** Below /sys, shown as the kernel shows them: of the VPS's own network namespace. */
export const OWN_BRANCHES = ['class/net', 'devices/virtual/net'] as const;

/**
 * /sys as a VPS sees it. The kernel's own has the devices, firmware and modules of the host in hundreds of places, so it
 * is not covered but replaced, by what programs look for.
 */
export function renderSys({ processors, delegate, features }: SysFacts): Tree {
  const range = processors === 1 ? '0\n' : `0-${processors - 1}\n`;
  const each = Array.from({ length: processors }, (_, number) => number);
  const topology = (number: number): Tree => ({
    core_id: `${number}\n`,
    physical_package_id: '0\n',
    core_cpus_list: `${number}\n`,
    thread_siblings_list: `${number}\n`,
    core_siblings_list: range,
    package_cpus_list: range,
  });
  return {
    block: {},
    bus: {},
    class: { net: {}, block: {} },
    dev: { block: {}, char: {} },
    devices: {
      system: {
        cpu: {
          online: range,
          possible: range,
          present: range,
          offline: '\n',
          isolated: '\n',
          kernel_max: `${processors - 1}\n`,
          ...Object.fromEntries(each.map((number) => [`cpu${number}`, { topology: topology(number) }])),
        },
      },
      virtual: { net: {} },
    },
    firmware: {},
    fs: { cgroup: {} },
    kernel: {
      cgroup: { delegate, features },
      mm: { transparent_hugepage: { enabled: 'always [madvise] never\n' } },
    },
    module: {},
    power: {},
  };
}
