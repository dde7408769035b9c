# Prints what a process can learn of the machine it runs on: `fact<TAB>value`, one a line. Perl alone, without modules.
use strict;
use warnings;

sub fact {
  my ($name, $value) = @_;
  return unless defined $value;
  $value =~ s/[\t\n]+/ /g;
  $value =~ s/^\s+|\s+$//g;
  $value = substr($value, 0, 400);
  print "$name\t$value\n";
}

sub content {
  my ($path) = @_;
  # Some files answer only when they are written to, or wait for news.
  local $SIG{ALRM} = sub { die "late\n" };
  my $text = eval {
    alarm 3;
    open(my $file, '<', $path) or die "closed\n";
    local $/;
    my $read = '';
    sysread($file, $read, 262144);
    alarm 0;
    $read;
  };
  alarm 0;
  return $text;
}

sub names {
  my ($path) = @_;
  opendir(my $folder, $path) or return;
  return sort grep { !/^\.\.?$/ } readdir $folder;
}

# Files of `key value` lines.
for my $file (qw(meminfo vmstat)) {
  my $text = content("/proc/$file") // next;
  fact("$file.$1", $2) while $text =~ /^(\S+?):?\s+(\d+)/mg;
}
for my $file (qw(cpu memory io)) {
  my $text = content("/proc/pressure/$file") // next;
  fact("pressure.$file.$1", $2) while $text =~ /^(\w+) .*total=(\d+)/mg;
}
{
  my $text = content('/proc/stat') // '';
  fact('stat.processors', scalar(() = $text =~ /^cpu\d/mg));
  for my $key (qw(intr ctxt btime processes procs_running softirq)) {
    fact("stat.$key", $1) if $text =~ /^$key (\d+)/m;
  }
  fact("stat.cpu.$_", (split ' ', $1)[$_]) for $text =~ /^cpu  (.*)/m ? 0 .. 3 : ();
}
{
  my $text = content('/proc/cpuinfo') // '';
  fact('cpuinfo.processors', scalar(() = $text =~ /^processor/mg));
  # A kernel of User-Mode Linux tells there which kernel it runs on.
  for my $key ('model name', 'microcode', 'cpu MHz', 'cache size', 'bogomips', 'flags', 'host') {
    fact("cpuinfo.$key", $1) if $text =~ /^\Q$key\E\s*: (.*)/m;
  }
}
{
  my @load = split /[ \/]/, content('/proc/loadavg') // '';
  fact("loadavg.$_", $load[$_]) for 0 .. $#load;
  # Each alone is a small number, equal by chance.
  fact('loadavg.together', join ' ', @load[0 .. 2]) if @load > 2;
  my @uptime = split ' ', content('/proc/uptime') // '';
  fact("uptime.$_", $uptime[$_]) for 0 .. $#uptime;
}

# Whole files of the host at large, by their sizes and their first words.
for my $file (qw(
  acpi/wakeup buddyinfo bus/pci/devices bus/input/devices cgroups cmdline config.gz consoles crypto devices diskstats dma
  driver/rtc execdomains fs/nfsd/exports interrupts iomem ioports kallsyms key-users keys latency_stats locks misc modules mtrr
  pagetypeinfo partitions sched_debug schedstat scsi/scsi slabinfo softirqs swaps timer_list tty/drivers vmallocinfo zoneinfo
  version filesystems sysvipc/shm net/dev net/route net/arp net/tcp net/unix net/netlink net/ptype self/cgroup self/cpuset
)) {
  my $text = content("/proc/$file") // next;
  fact("proc.$file.lines", scalar(() = $text =~ /\n/g));
  fact("proc.$file.begins", $text);
}
for my $folder (qw(acpi bus driver fs irq scsi tty asound)) {
  fact("proc.$folder.names", join ' ', names("/proc/$folder"));
}

# Settings.
sub settings {
  my ($path) = @_;
  for my $name (names($path)) {
    my $full = "$path/$name";
    if (-d $full) { settings($full) }
    elsif (-f _ && $full !~ m{/(uuid|stat_refresh)$}) { fact('sys.' . substr($full, 10), content($full)) }
  }
}
settings("/proc/sys/$_") for qw(abi debug dev fs kernel vm user);
settings("/proc/sys/net/$_") for qw(core unix netfilter);

# Devices, firmware and modules.
for my $folder (qw(
  block bus bus/pci/devices bus/cpu/devices bus/virtio/devices class class/block class/net class/tty class/dmi/id class/hwmon
  class/thermal class/powercap class/bdi class/misc class/mem class/rtc class/graphics class/input class/scsi_host class/vc
  dev/block dev/char devices devices/system devices/system/cpu devices/system/node devices/system/memory devices/virtual
  devices/virtual/block devices/virtual/dmi devices/platform devices/pci0000:00 devices/virtual/bdi devices/virtual/workqueue
  firmware firmware/acpi firmware/dmi firmware/efi fs fs/btrfs fs/ext4 fs/fuse/connections fs/xfs hypervisor kernel kernel/debug
  kernel/iommu_groups kernel/irq kernel/mm kernel/slab kernel/livepatch kernel/btf module power
)) {
  fact("sysfs.$folder.names", join ' ', names("/sys/$folder"));
}
for my $file (qw(
  devices/system/cpu/online devices/system/cpu/possible devices/system/cpu/present devices/system/cpu/kernel_max
  devices/system/cpu/vulnerabilities/meltdown devices/system/cpu/smt/active devices/system/node/online
  devices/system/node/node0/meminfo devices/system/clocksource/clocksource0/current_clocksource kernel/uevent_seqnum
  kernel/boot_params/version kernel/notes kernel/mm/transparent_hugepage/enabled kernel/mm/ksm/run kernel/profiling
  class/dmi/id/product_name class/dmi/id/sys_vendor class/dmi/id/bios_version power/state power/wakeup_count
)) {
  fact("sysfs.$file", content("/sys/$file"));
}

# Its own control groups: of either version, each controller alone or all together.
{
  my %devices;
  for my $folder ('/sys/fs/cgroup', map { "/sys/fs/cgroup/$_" } names('/sys/fs/cgroup')) {
    for my $file (qw(
      cpuset.cpus cpuset.effective_cpus cpuset.cpus.effective cpuset.mems.effective cpuacct.usage cpu.max cpu.shares cpu.weight
      memory.limit_in_bytes memory.max memory.usage_in_bytes memory.current pids.max pids.current cgroup.controllers
    )) {
      fact("cgroup.$file", content("$folder/$file"));
    }
    for my $file (qw(cpu.stat memory.stat cpu.pressure memory.pressure io.pressure)) {
      my $text = content("$folder/$file") // next;
      fact("cgroup.$file.$1", $2) while $text =~ /^(\w+) (?:.*total=)?(\d+)$/mg;
    }
    my $each = content("$folder/cpuacct.usage_percpu");
    fact('cgroup.cpuacct.processors', scalar(() = $each =~ /\d+/g)) if defined $each;
    my $nodes = content("$folder/memory.numa_stat");
    fact('cgroup.memory.nodes', join ' ', sort keys %{{ map { $_ => 1 } $nodes =~ /\b(N\d+)=/g }}) if defined $nodes;
    for my $file (qw(io.stat blkio.throttle.io_service_bytes blkio.throttle.io_service_bytes_recursive)) {
      my $text = content("$folder/$file") // next;
      $devices{$1} = 1 while $text =~ /^(\d+:\d+) /mg;
    }
  }
  fact("cgroup.device.$_", 'there') for keys %devices;
}

# Numbers that the kernel counts for all: of namespaces, mounts and devices without a disk.
for my $kind (names('/proc/self/ns')) {
  fact("ns.$kind", readlink "/proc/self/ns/$kind");
}
{
  my ($mount, $device) = (0, 0);
  for my $line (split /\n/, content('/proc/self/mountinfo') // '') {
    my ($id, undef, $number) = split ' ', $line;
    $mount = $id if $id > $mount;
    $device = $1 if $number =~ /^0:(\d+)$/ && $1 > $device;
  }
  fact('number.mount', $mount);
  fact('number.device', $device);
}

# Mounts: options and roots that are paths.
{
  my $text = content('/proc/self/mountinfo') // '';
  for my $line (split /\n/, $text) {
    my @part = split ' ', $line;
    next unless @part > 6;
    my ($before, $after) = split / - /, $line, 2;
    fact("mount.$part[4].root", $part[3]);
    fact("mount.$part[4].source", $after);
  }
}
for my $path (qw(/ /dev /dev/null /dev/shm /run /proc /sys /tmp)) {
  # struct statfs on x86-64 and arm64: type, block size, blocks, free, available, inodes, free inodes.
  my $memory = "\0" x 256;
  my $target = "$path\0";
  next if syscall($^O eq 'linux' && `uname -m` =~ /x86_64/ ? 137 : 43, $target, $memory) != 0;
  my (undef, $size, $blocks, $free, undef, $files) = unpack 'q6', $memory;
  fact("statfs.$path.bytes", $size * $blocks);
  fact("statfs.$path.free", $size * $free);
  fact("statfs.$path.inodes", $files);
}

# System calls.
my $x86 = `uname -m` =~ /x86_64/;
{
  my $memory = "\0" x 256;
  if (syscall($x86 ? 99 : 179, $memory) == 0) {
    my @value = unpack 'q L3 x4', $memory;
    my ($uptime, @rest) = unpack 'q Q9', $memory;
    my @key = qw(load1 load5 load15 totalram freeram sharedram bufferram totalswap freeswap);
    fact('sysinfo.uptime', $uptime);
    fact("sysinfo.$key[$_]", $rest[$_]) for 0 .. $#key;
    fact('sysinfo.procs', unpack 'S', substr($memory, 80, 2));
  }
  for my $clock ([monotonic => 1], [boottime => 7]) {
    my $time = "\0" x 16;
    fact("clock.$clock->[0]", unpack 'q', $time) if syscall($x86 ? 228 : 113, $clock->[1], $time) == 0;
  }
  my $mask = "\0" x 128;
  my $size = syscall($x86 ? 204 : 123, 0, 128, $mask);
  fact('affinity.processors', unpack('%32b*', $mask)) if $size > 0;
  my $log = "\0" x 4096;
  my $read = syscall($x86 ? 103 : 116, 3, $log, 4096);
  fact('kernel log', $log =~ /\w/ ? $log : '') if $read > 0;
}
for my $file (qw(status limits uid_map oom_score io schedstat)) {
  my $text = content("/proc/self/$file") // next;
  if ($file eq 'status') {
    for my $key (qw(NStgid Cpus_allowed_list Mems_allowed_list Speculation_Store_Bypass Seccomp NoNewPrivs CapBnd)) {
      fact("self.$key", $1) if $text =~ /^$key:\s*(.*)/m;
    }
  } else {
    fact("self.$file", $text);
  }
}
fact('host name', content('/proc/sys/kernel/hostname'));
fact('processes', scalar grep { /^\d+$/ } names('/proc'));
for my $link (names('/sys/class/net')) {
  next if $link eq 'lo';
  fact("link.$link.$_", content("/sys/class/net/$link/$_")) for qw(ifindex iflink address);
}
for my $tool ('nproc', 'nproc --all', 'getconf _NPROCESSORS_CONF', 'getconf _NPROCESSORS_ONLN', 'getconf _PHYS_PAGES', 'getconf _AVPHYS_PAGES') {
  fact("tool.$tool", `$tool 2>/dev/null`);
}
fact('tool.uname', `uname -a`);
fact('tool.lscpu', join ' ', grep { /^(CPU\(s\)|On-line|Socket|NUMA node)/ } `lscpu 2>/dev/null`);
fact('tool.df', (split /\n/, `df -P -k / 2>/dev/null`)[1]);
fact('tool.dmesg', scalar(() = `dmesg 2>/dev/null`));
