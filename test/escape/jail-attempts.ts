/** What an attacker may try who has taken over the process that is a machine. */
export interface JailAttempt {
  readonly name: string;
  /** Perl; its arguments are the path of a file of the host, a process of the host, and the folder of sockets. */
  readonly program: string;
  /** What the attacker must see at last. */
  readonly gets: RegExp;
}

/** syscall() takes text for an address in memory. */
const PROLOGUE = '$| = 1; my ($host, $pid, $sockets) = @ARGV; $pid += 0; ';
const perl = (name: string, program: string, gets: RegExp): JailAttempt => ({
  name,
  program: PROLOGUE + program,
  gets,
});

/** Numbers of system calls on x86-64. */
const CALLS: Readonly<Record<string, number>> = {
  ...{ unshare: 272, setns: 308, mount: 165, umount2: 166, pivot_root: 155, fsopen: 430, open_tree: 428 },
  ...{ move_mount: 429, mount_setattr: 442, io_uring_setup: 425, io_uring_enter: 426, bpf: 321 },
  ...{ perf_event_open: 298, userfaultfd: 323, keyctl: 250, add_key: 248, request_key: 249, kexec_load: 246 },
  ...{ init_module: 175, finit_module: 313, delete_module: 176, open_by_handle_at: 304, iopl: 172 },
  ...{ syslog: 103, swapon: 167, quotactl: 179, quotactl_fd: 443, acct: 163, reboot: 169, sethostname: 170 },
  ...{ process_vm_readv: 310, process_vm_writev: 311, move_pages: 279, migrate_pages: 256, clone3: 435 },
};
const call = (name: string): JailAttempt =>
  perl(
    `the system call ${name}`,
    `my $r = syscall(${CALLS[name]}, 0, 0, 0, 0, 0, 0); print $r == -1 ? "refused: $!" : "got $r"`,
    /^refused: (Operation not permitted|Function not implemented)$/,
  );
const SOCKETS: Readonly<Record<string, number>> = {
  ...{ IPv4: 2, IPv6: 10, netlink: 16, packets: 17, keys: 15, 'the kernel’s cryptography': 38, XDP: 44 },
  ...{ 'the hypervisor': 40, Bluetooth: 31, TIPC: 30, RDS: 21, CAN: 29 },
};
const socket = (name: string): JailAttempt =>
  perl(
    `a socket of the family ${name}`,
    `my $n = 0; for my $type (1, 2, 3) { $n++ if syscall(41, ${SOCKETS[name]}, $type, 0) >= 0 } print "got $n"`,
    /^got 0$/,
  );
const NAMESPACES = { user: 0x1000_0000, network: 0x4000_0000, mount: 0x2_0000, pid: 0x2000_0000 } as const;
const clone = (name: keyof typeof NAMESPACES): JailAttempt =>
  perl(
    `a child in a ${name} namespace of its own`,
    `my $r = syscall(56, ${NAMESPACES[name] + 17}, 0, 0, 0, 0); if ($r == 0) { syscall(60, 0) } print $r == -1 ? "refused: $!" : "got it"`,
    /^refused: /,
  );
/** Of <linux/if_tun.h> and <linux/sockios.h>, on the descriptor of its own link. */
const TAP: Readonly<Record<string, number>> = {
  'another MAC for the host’s end of its link': 0x8924,
  'a link that outlives it': 0x4004_54cb,
  'a link that belongs to a user of its choice': 0x4004_54cc,
  'another kind of link': 0x4004_54cd,
  'a link of another name': 0x4004_54ca,
  'a link without its filter': 0x4004_54d1,
  'a link that seems unplugged': 0x4004_54e2,
};
const tap = (name: string): JailAttempt =>
  perl(
    name,
    `open(my $t, '+<&=', 3) or print "no tap: $!"; my $b = pack('a16 S a14 x8', 'mvescape', 1, "\\x02\\0\\0\\0\\0\\x09"); my $r = ioctl($t, ${TAP[name]}, $b); print defined $r ? 'took it' : 'refused'`,
    /^refused$/,
  );

/** A program of a 64-bit process that makes a 32-bit call: mov eax,20; int 0x80; then exit_group(0). */
const OLD_CALL = 'b814000000cd80b8e700000031ff0f05';

export const JAIL_ATTEMPTS: Readonly<Record<string, readonly JailAttempt[]>> = {
  'what it sees': [
    perl('files of the host', 'print -e $host ? "there" : "none"', /^none$/),
    perl(
      'a list of its root with more than its own parts',
      `opendir(my $d, '/'); print join ' ', sort grep { !/^\\./ } readdir $d`,
      /^dev (image )?lib lib64 (memory modules preload\.so )?proc (run |tmp )?usr volume$/,
    ),
    perl(
      'processes, the kernel and devices',
      `my @seen = grep { -e } qw(/proc/self /proc/kcore /proc/sys /sys/kernel /dev/mem /dev/kmsg /dev/net/tun /dev/fuse /dev/vda /dev/loop0 /dev/vhost-net); print "seen @seen"`,
      /^seen $/,
    ),
    perl(
      'descriptors of the host',
      `my @open; for my $n (4 .. 1023) { my $r = syscall(72, $n, 1, 0); push @open, $n if $r >= 0 } print "open @open"`,
      /^open $/,
    ),
    perl(
      'a root within its root',
      `my $d = '/run'; $d = '/dev' unless -w $d; mkdir "$d/j"; chdir '/'; chroot "$d/j"; chdir '..' for 1 .. 30; chroot '.'; print -e $host ? 'out' : 'in'`,
      /^in$/,
    ),
    perl(
      'a way up from its volume and its sockets',
      `my @out; for my $f ('/volume', $sockets, '/image', '/modules') { for my $n (1 .. 12) { my $p = $f . '/..' x $n . $host; push @out, $p if -e $p } } print "found @out"`,
      /^found $/,
    ),
  ],
  'what it writes': [
    perl(
      'a link in the place of its own disk',
      `my $n = 0; $n++ if rename('/volume/disk.raw', '/volume/old'); $n++ if unlink('/volume/disk.raw'); $n++ if symlink($host, '/volume/new'); $n++ if link('/volume/disk.raw', '/volume/twin'); $n++ if mkdir('/volume/folder'); $n++ if open(my $f, '>', '/volume/file'); print "made $n"`,
      /^made 0$/,
    ),
    perl(
      'its own kernel, program and libraries',
      `my $n = 0; for my $p (glob '/image/* /usr/bin/* /usr/lib/x86_64-linux-gnu/libc.so.6 /modules/* /preload.so /usr/share/seabios/*') { next if -d $p; $n++ if open(my $f, '+<', $p); $n++ if chmod(0777, $p) } print "wrote $n"`,
      /^wrote 0$/,
    ),
    perl(
      'more into its folder of sockets than sockets',
      `my $n = 0; open(my $f, '>', "$sockets/fill") or print "closed "; for (1 .. 64) { my $w = syswrite($f, 'x' x 1048576) // last; $n += $w; last if $w < 1048576 } print $n > 33554432 ? "wrote $n" : 'bounded'; unlink "$sockets/fill"`,
      /bounded$/,
    ),
    perl(
      'files without number into its folder of sockets',
      `my $n = 0; for my $i (1 .. 5000) { open(my $f, '>', "$sockets/n$i") or last; $n++ } print $n > 1000 ? "made $n" : 'bounded'; unlink glob "$sockets/n*"`,
      /^bounded$/,
    ),
    perl(
      'a device',
      `my $n = 0; for my $d ($sockets, '/dev', '/memory', '/volume') { for my $k (0020666, 0060666) { $n++ if syscall(133, "$d/node", $k, 0x101) == 0 } } print "made $n"`,
      /^made 0$/,
    ),
  ],
  namespaces: [
    ...(['user', 'network', 'mount', 'pid'] as const).map(clone),
    ...['unshare', 'setns', 'clone3'].map(call),
  ],
  'system calls': [
    ...Object.keys(CALLS)
      .filter((name) => !['unshare', 'setns', 'clone3'].includes(name))
      .map(call),
    perl(
      'a system call of 32 bits',
      `my $code = pack 'H*', '${OLD_CALL}'; my $elf = "\\x7fELF" . pack('C4 x8 S S L Q Q Q L S6', 2, 1, 1, 0, 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0) . pack('L L Q6', 1, 5, 0, 0x400000, 0x400000, 0x78 + length $code, 0x78 + length $code, 0x1000) . $code; my ($name, $empty) = ("x\\0", "\\0"); my $f = syscall(319, $name, 0); open(my $h, '+<&=', $f); syswrite $h, $elf; my $child = fork; if (!$child) { my $argv = pack 'Q Q', unpack('Q', pack 'p', $name), 0; my $r = syscall(322, $f, $empty, $argv, 0, 0x1000); syscall(60, 77) } waitpid $child, 0; print $? & 127 ? 'killed' : 'ended ' . ($? >> 8)`,
      /^killed$/,
    ),
  ],
  'the network': [
    ...Object.keys(SOCKETS).map(socket),
    ...Object.keys(TAP).map(tap),
    perl(
      'an abstract socket of the host',
      `socket(my $s, 1, 1, 0); my $a = pack('S', 1) . "\\0mullion-escape"; print connect($s, $a) ? 'connected' : 'refused'`,
      /^refused$/,
    ),
  ],
  'other processes': [
    perl(
      'signals to processes of the host',
      `my $n = kill(0, $pid); my $f = syscall(434, $pid, 0); print "reached $n", $f >= 0 ? ' opened' : ''`,
      /^reached 0$/,
    ),
    perl(
      'tracing a process of the host',
      `my $n = 0; $n++ if syscall(101, 16, $pid, 0, 0) == 0; print "traced $n"`,
      /^traced 0$/,
    ),
    perl(
      'more rights by a program of another user',
      `my $n = 0; $n++ if syscall(105, 1) == 0 && $< == 1; $n++ if syscall(157, 47, 2, 21, 0, 0) == 0; print 'ids ', $n, ' new ', syscall(157, 39, 0, 0, 0, 0)`,
      /^ids 0 new 1$/,
    ),
  ],
  'its share': [
    perl(
      'more processes than its limit',
      `my $n = 0; my @c; for (1 .. 1500) { my $c = fork; last unless defined $c; if (!$c) { sleep 30; syscall(60, 0) } push @c, $c; $n++ } kill 9, @c; print $n < 1000 ? 'bounded' : "forked $n"`,
      /^bounded$/,
    ),
    perl(
      'a higher limit of its own',
      `my $n = 0; for my $r (4, 7, 8, 11, 12, 13, 14) { my $l = pack 'Q Q', 1 << 40, 1 << 40; syscall(160, $r, $l); syscall(97, $r, $l); $n++ if (unpack 'Q Q', $l)[0] == 1 << 40 } print "raised $n"`,
      /^raised 0$/,
    ),
    // At a limit of 0 the host's own program is run for a crash (core(5), "Piping core dumps to a program").
    perl(
      'a program of the host run by its crash',
      `my $l = pack 'Q Q', 0, 0; syscall(160, 4, $l); syscall(302, 0, 4, $l, 0); syscall(97, 4, $l); print 'core ', join ' ', unpack 'Q Q', $l`,
      /^core 1 1$/,
    ),
  ],
};
