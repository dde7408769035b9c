/** One way out that a root of a VPS may try. */
export interface Attempt {
  readonly name: string;
  /** Run by the VPS's root. `HOST` is the path of a file on the host, `HOSTPID` a process of the host; on it, `CONTROL` is set. */
  readonly argv: readonly ['perl' | 'sh', '-c' | '-e', string];
  /** What the attacker must see at last. */
  readonly gets: RegExp;
  /** Where nothing is in its way, which is on the host among mounts of its own, it comes to something else than `gets`. */
  readonly succeedsOnHost?: true;
}
const control = (attempt: Attempt): Attempt => ({ ...attempt, succeedsOnHost: true });

const perl = (text: string): Attempt['argv'] => [
  'perl',
  '-e',
  // syscall() takes text for an address in memory.
  `$| = 1; my ($host, $pid) = @ENV{qw(HOST HOSTPID)}; $pid += 0; ${text}`,
];

/** Numbers of system calls on x86-64. */
const CALL = {
  bpf: 321,
  perf_event_open: 298,
  userfaultfd: 323,
  io_uring_setup: 425,
  kexec_load: 246,
  finit_module: 313,
  open_by_handle_at: 304,
  keyctl: 250,
  add_key: 248,
  request_key: 249,
  fsopen: 430,
  swapon: 167,
  settimeofday: 164,
  syslog: 103,
  iopl: 172,
  move_pages: 279,
  quotactl: 179,
  modify_ldt: 154,
  acct: 163,
} as const;

/** Answers "refused: ERRNO", in the words of errno(3). */
const refused = (name: keyof typeof CALL, args = '0, 0, 0, 0, 0'): Attempt => ({
  name: `the system call ${name}`,
  argv: perl(`my $r = syscall(${CALL[name]}, ${args}); print $r == -1 ? "refused: $!" : "got $r"`),
  gets: /^refused: (Operation not permitted|Function not implemented)$/,
});
const socket = (family: number, name: string): Attempt => ({
  name: `a socket of the family ${name}`,
  argv: perl(`my $r = syscall(41, ${family}, 2, 0); print $r < 0 ? "refused: $!" : "got it"`),
  gets: /^refused: Address family not supported/,
});
/** Fails when any of the files took it, or where `there` must be one and none is. */
export const write = (name: string, files: string, text: string, there: 'there' | 'perhaps'): Attempt => ({
  name,
  argv: perl(
    `my ($n, $there) = (0, 0); for my $f (glob "${files}") { $there++ if -e $f; open(my $h, '>', $f) or next; syswrite($h, "${text}") and $n++ } print "wrote $n of $there"`,
  ),
  gets: there === 'there' ? /^wrote 0 of [1-9]/ : /^wrote 0 of \d/,
});
/** Names the files that it could read something but zeros of. */
const read = (name: string, files: string): Attempt =>
  control({
    name,
    argv: perl(
      `for my $f (glob("${files}"), $ENV{CONTROL} ? $host : ()) { open(my $h, '<', $f) or next; sysread($h, my $b, 4096) or next; print "read $f " if $b =~ /[^\\0]/ }`,
    ),
    gets: /^$/,
  });
const shell = (name: string, script: string, gets: RegExp): Attempt => ({
  name,
  argv: ['sh', '-c', script],
  gets,
});

export const ATTEMPTS: Readonly<Record<string, readonly Attempt[]>> = {
  procfs: [
    write('restarting the host by sysrq', '/proc/sysrq-trigger', 'b', 'perhaps'),
    write(
      'naming a program that the host’s kernel runs',
      '/proc/sys/kernel/{modprobe,hotplug,poweroff_cmd,core_pattern}',
      '/x',
      'there',
    ),
    write(
      'emptying the host’s caches',
      '/proc/sys/vm/{drop_caches,compact_memory,overcommit_memory}',
      '1',
      'there',
    ),
    write(
      'registering a handler of programs for the host',
      '/proc/sys/fs/binfmt_misc/register',
      ':x:M::x::/x:',
      'perhaps',
    ),
    write('turning the host’s interrupts', '/proc/irq/*/smp_affinity', '1', 'perhaps'),
    write('being spared when the host lacks memory', '/proc/self/oom_score_adj', '-1000', 'there'),
    read(
      'reading the host’s memory',
      '/proc/{kcore,kpageflags,kpagecount,kpagecgroup,vmcore} /dev/{mem,kmem,port,crash}',
    ),
    read('reading addresses of the kernel', '/proc/{kallsyms,modules,vmallocinfo,iomem}'),
    control(
      shell(
        'a root of another process',
        'for p in /proc/[0-9]*; do cat $p/root$HOST $p/cwd$HOST 2>/dev/null; done; echo end',
        /^end\n$/,
      ),
    ),
    control(
      shell(
        'folders that stayed open',
        'p="[0-9]*"; [ -z "$CONTROL" ] || { exec 9</; p=$$; }; for f in /proc/$p/fd/*; do for up in . .. ../.. ../../.. ../../../../../..; do cat $f/$up$HOST 2>/dev/null; done; done; echo end',
        /^end\n$/,
      ),
    ),
    control(
      shell(
        'a whole second /proc',
        'mkdir -p /tmp/p; mount -t proc proc /tmp/p 2>/dev/null && cat /tmp/p/interrupts; umount /proc/interrupts 2>/dev/null; cat /proc/interrupts',
        /^$/,
      ),
    ),
    control(
      shell(
        'a whole second /sys',
        'mkdir -p /tmp/s; mount -t sysfs sysfs /tmp/s 2>/dev/null && ls /tmp/s/block; ls /sys/block',
        /^$/,
      ),
    ),
    control(
      shell(
        'processes of the host',
        'cat /proc/[0-9]*/comm | grep -xE "crun|conmon|node|lxcfs|MainThread" ; echo end',
        /^end\n$/,
      ),
    ),
  ],
  'cgroup release agents': [
    write('naming a release agent', '/sys/fs/cgroup/{*/,}release_agent', '/x', 'perhaps'),
    shell(
      'mounting a hierarchy again, to name one there',
      'mkdir -p /tmp/c; for k in memory rdma cpu systemd; do mount -t cgroup -o $k cgroup /tmp/c 2>/dev/null && { echo /x > /tmp/c/release_agent && echo wrote; umount /tmp/c; }; done 2>/dev/null; echo end',
      /^end\n$/,
    ),
    shell(
      'a new named hierarchy',
      'mkdir -p /tmp/n; mount -t cgroup -o none,name=mine cgroup /tmp/n 2>/dev/null && echo /x > /tmp/n/release_agent && echo wrote; echo end',
      /^end\n$/,
    ),
    write(
      'more memory, processes and processors than its limit',
      '/sys/fs/cgroup/{memory/memory.limit_in_bytes,pids/pids.max,cpu/cpu.cfs_quota_us,memory.max,pids.max,cpu.max}',
      '9999999999',
      'there',
    ),
    write('devices', '/sys/fs/cgroup/devices/devices.allow', 'a', 'perhaps'),
    shell(
      'a group above its own',
      'cd /sys/fs/cgroup; for f in */../../*/tasks */../tasks */../cgroup.procs ../cgroup.procs; do [ -e $f ] && echo $$ > $f && echo moved; done 2>/dev/null; grep -c mullion /proc/self/cgroup',
      /^0\n$/,
    ),
  ],
  mounts: [
    shell(
      'mounting disks of the host',
      'for d in /dev/vda /dev/sda1 /dev/loop0 /dev/nvme0n1p1; do mount $d /mnt 2>/dev/null && echo mounted; done; echo end',
      /^end\n$/,
    ),
    shell(
      'making /sys writable',
      'mount -o remount,rw /sys 2>/dev/null; mount -o remount,bind,rw /sys 2>/dev/null; touch /sys/x 2>/dev/null && echo wrote; echo end',
      /^end\n$/,
    ),
    control({
      name: 'a root within a root',
      argv: perl(
        `mkdir '/tmp/j'; chdir '/'; chroot '/tmp/j'; chdir '..' for 1 .. 30; chroot '.'; print -e $host ? 'out' : 'in'`,
      ),
      gets: /^in$/,
    }),
    shell(
      'the files of its first process',
      'nsenter -t 1 -m -- cat $HOST 2>/dev/null; nsenter -t 1 -a -- cat $HOST 2>/dev/null; echo end',
      /^end\n$/,
    ),
    control(
      shell(
        'turning the root about',
        'unshare -m sh -c "mkdir -p /tmp/t/old; mount -t tmpfs t /tmp/t; mkdir -p /tmp/t/old; cd /tmp/t; pivot_root . old; for up in old old/../../..; do read -r line < \\$up$HOST; echo \\$line; done" 2>/dev/null | grep .; echo end',
        /^end\n$/,
      ),
    ),
    shell(
      'looking below its own root',
      'umount -l / 2>/dev/null; cat /..$HOST 2>/dev/null; echo end',
      /^end\n$/,
    ),
  ],
  'overlay and idmap': [
    shell(
      'an overlay that leads out',
      'mkdir -p /tmp/o/u /tmp/o/w /tmp/o/m; mount -t overlay -o lowerdir=/proc/1/root/..:/,upperdir=/tmp/o/u,workdir=/tmp/o/w,userxattr o /tmp/o/m 2>/dev/null; cat /tmp/o/m$HOST 2>/dev/null; umount -l /tmp/o/m 2>/dev/null; echo end',
      /^end\n$/,
    ),
    {
      name: 'attributes that redirect its own layer',
      argv: perl(
        `mkdir '/tmp/x'; my $k = "user.overlay.redirect\\0"; my $p = "/tmp/x\\0"; my $v = '/../../../../../..'; syscall(188, $p, $k, $v, length $v, 0); opendir(my $d, '/tmp/x'); print 'found ', join ',', grep { !/^\\./ } readdir $d`,
      ),
      gets: /^found $/,
    },
    {
      name: 'an idmapped mount of its root',
      argv: perl(
        `my ($p, $e) = ("/\\0", "\\0"); my $t = syscall(428, -100, $p, 1); open(my $u, '<', '/proc/self/ns/user'); my $a = pack('q4', 0x100000, 0, 0, fileno $u); my $r = syscall(442, $t, $e, 0x1000, $a, 32); print $r == 0 ? 'mapped' : 'refused'`,
      ),
      gets: /^refused$/,
    },
    shell(
      'a program with the rights of the host’s root',
      'cp /bin/sh /tmp/suid; chown 0 /tmp/suid; chmod 4755 /tmp/suid; unshare -rm /tmp/suid -c "cat $HOST" 2>/dev/null; grep -c "^ *0 *0 " /proc/self/uid_map; unshare -U cat /proc/self/uid_map | wc -l',
      /^0\n0\n$/,
    ),
    control({
      name: 'a user namespace with ids of the host',
      argv: perl(
        `pipe(my $r, my $w); my $c = fork; if (!$c) { syscall(272, 0x10000000); syswrite($w, 'x'); sleep 5; exit } sysread($r, my $b, 1); open(my $m, '>', "/proc/$c/uid_map"); my $n = syswrite($m, "0 4294967294 1\\n") // 0; my $k = syswrite($m, "0 100000000 5\\n") // 0; kill 9, $c; print 'mapped ', ($n > 0 || $k > 0) ? 'some' : 'none'`,
      ),
      gets: /^mapped none$/,
    }),
  ],
  'device nodes': [
    control(
      shell(
        'making nodes of memory and disks',
        'mkdir -p /tmp/nodes; cd /tmp/nodes; mknod m c 1 1; mknod d b 254 0; mknod l b 7 0; unshare -rm mknod n c 1 1; ls; echo end',
        /^end\n$/,
      ),
    ),
    control(
      shell(
        'nodes that lie about',
        'head -c 1 /dev/mem /dev/kmsg /dev/vda /dev/loop0 /dev/port 2>/dev/null | grep -v "^==>"; ls /dev | grep -xE "kvm|fuse|kmsg|mem|vda|loop.*|net|vhost.*|btrfs-control|mapper" ; echo end',
        /^end\n$/,
      ),
    ),
    shell(
      'files in memory that allow nodes',
      'mkdir -p /tmp/y; mount -t tmpfs -o dev y /tmp/y; mknod /tmp/y/m c 1 1 2>/dev/null; head -c 1 /tmp/y/m 2>/dev/null; umount /tmp/y; echo end',
      /^end\n$/,
    ),
    {
      name: 'typing into another’s terminal',
      argv: perl(
        `open(my $t, '+<', '/dev/console') or print 'no console: '; my $b = "\\x02x"; my $r = ioctl($t, 0x541C, $b); print defined $r ? 'took it' : 'refused'`,
      ),
      gets: /^refused$/,
    },
  ],
  'other processes': [
    control({
      name: 'tracing a process of the host',
      argv: perl(
        `my $n = 0; for my $p ($pid, $ENV{CONTROL} ? () : (2 .. 3, 50000 .. 50100)) { next if -d "/proc/$p" && !$ENV{CONTROL}; $n++ if syscall(101, 16, $p, 0, 0) == 0 } print "traced $n"`,
      ),
      gets: /^traced 0$/,
    }),
    control({
      name: 'reading a process of the host',
      argv: perl(
        `my $b = "\\0" x 64; my $v = pack('PQ', $b, 64); my $r = syscall(310, $pid, $v, 1, $v, 1, 0); print $r == -1 ? "refused: $!" : 'read'`,
      ),
      // Where it is there, its memory at that place is not, or is read.
      gets: /^refused: No such process$/,
    }),
    control({
      name: 'signals to processes of the host',
      argv: perl(
        `my $own = -d "/proc/$pid" && !$ENV{CONTROL}; print kill(0, $pid) && !$own ? 'reached' : 'none'; my $f = syscall(434, $pid, 0); print $f >= 0 && !$own ? ' opened' : ''`,
      ),
      gets: /^none$/,
    }),
    control(
      shell(
        'joining namespaces of the host',
        'for n in mnt net pid ipc uts cgroup user time; do nsenter --$n=/proc/$HOSTPID/ns/$n true 2>/dev/null && echo $n; done; echo end',
        /^end\n$/,
      ),
    ),
    control({
      name: 'an abstract socket of the host',
      argv: perl(
        `socket(my $s, 1, 1, 0); my $a = pack('S', 1) . "\\0mullion-escape"; print connect($s, $a) ? 'connected' : 'refused'`,
      ),
      gets: /^refused$/,
    }),
  ],
  keyrings: [refused('keyctl'), refused('add_key'), refused('request_key')],
  'system calls': [
    ...[
      refused('bpf'),
      refused('perf_event_open'),
      refused('userfaultfd'),
      refused('io_uring_setup', '8, 0'),
    ],
    ...[refused('kexec_load'), refused('finit_module'), refused('open_by_handle_at'), refused('fsopen')],
    ...[refused('swapon'), refused('settimeofday'), refused('syslog', '10, 0, 0'), refused('iopl', '3')],
    ...[refused('move_pages'), refused('quotactl'), refused('modify_ldt'), refused('acct')],
    ...[socket(38, 'cryptography'), socket(40, 'hypervisor'), socket(31, 'Bluetooth'), socket(30, 'TIPC')],
  ],
};
