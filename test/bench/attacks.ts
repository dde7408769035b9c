export interface Attack {
  readonly name: string;
  /** Only for a neighbour with a limit: nothing else would keep it from the whole machine. */
  readonly onlyLimited?: true;
  /** What its limits are set to meanwhile, beside its defaults. */
  readonly limits?: Readonly<Record<string, string>>;
  /** Runs until it is killed, with what is in a minimal Debian. */
  script(target: { readonly victim: string }): string;
}

const several = (count: number, command: string): string =>
  `for i in $(seq ${count}); do ${command} & done; wait`;
const perl = (program: string): string => `perl -e '${program}'`;

const useDisk = (): string =>
  `mkdir -p /root/noise; dd if=/dev/zero of=/root/noise/a bs=1M count=16 oflag=direct 2>/dev/null
while :; do dd if=/dev/zero of=/root/noise/b bs=1M count=512 oflag=direct 2>/dev/null; done &
while :; do dd if=/dev/zero of=/root/noise/c bs=4k count=64 conv=fsync 2>/dev/null; done &
while :; do dd if=/root/noise/a of=/dev/null bs=1M iflag=direct 2>/dev/null; done`;

/** Those that leave the file system much to tidy up come last: it is still at it minutes later. */
export const ATTACKS: readonly Attack[] = [
  { name: 'burns processors', script: () => several(8, perl('1 while 1')) },
  {
    name: 'fills memory bandwidth',
    script: () => several(2, perl('$a = "x" x 60e6; while (1) { $b = $a; substr($b, 0, 1) = "y" }')),
  },
  {
    name: 'sends packets to its neighbour',
    script: ({ victim }) =>
      several(
        4,
        perl(
          `use Socket; socket(S, PF_INET, SOCK_DGRAM, 0); $t = sockaddr_in(9, inet_aton("${victim}")); $m = "x" x 1400; send(S, $m, 0, $t) while 1`,
        ),
      ),
  },
  {
    name: 'opens connections',
    script: () =>
      several(
        2,
        perl(
          'use Socket; socket(S, PF_INET, SOCK_DGRAM, 0); while (1) { send(S, "x", 0, sockaddr_in(1 + int(rand(65000)), inet_aton("203.0.113." . (2 + int(rand(250)))))) }',
        ),
      ),
  },
  {
    name: 'forks',
    script: () => several(4, perl('while (1) { $p = fork; exit if defined $p && !$p; wait }')),
  },
  {
    name: 'forks without end',
    onlyLimited: true,
    script: () => several(4, perl('$SIG{CHLD} = "IGNORE"; while (1) { fork }')),
  },
  {
    name: 'makes and removes files',
    script: () =>
      `mkdir -p /root/noise; ${several(
        2,
        perl(
          'while (1) { for $n (1 .. 5000) { open(F, ">", "/root/noise/$$.$n"); close F } unlink("/root/noise/$$.$_") for 1 .. 5000 }',
        ),
      )}`,
  },
  {
    name: 'reads and writes its disk, with 20 MB/s of each',
    onlyLimited: true,
    limits: { diskReadRate: '20M', diskWriteRate: '20M' },
    script: useDisk,
  },
  { name: 'reads and writes its disk', script: useDisk },
  {
    name: 'fills the page cache',
    script: () =>
      `mkdir -p /root/noise; ${several(2, 'while :; do dd if=/dev/zero of=/root/noise/$i bs=1M count=1200 2>/dev/null; done')}`,
  },
];
