import type { ArchiveEntry } from '../archive/entry.ts';

/** Where a template's guest waits for its new identity, and where it answers; memory of the guest. */
export const SLEEPER = '/run/mullion-sleeper.pl';
export const WAKE = '/run/mullion-wake';
export const AWAKE = '/run/mullion-awake';
const END = '\nmullion: all of it\n';

/** What a guest is told that is to become another server. */
export interface NewIdentity {
  /** Seconds since the epoch. */
  readonly now: number;
  readonly name: string;
  readonly threadsMax: number;
  readonly entries: readonly ArchiveEntry[];
}

/** In the form that the waiting program reads. */
export function renderNewIdentity({ now, name, threadsMax, entries }: NewIdentity): Buffer {
  const seconds = Math.floor(now);
  const micros = Math.floor((now - seconds) * 1_000_000);
  return Buffer.concat([
    Buffer.from(`${seconds} ${micros} ${threadsMax} ${name}\n`),
    ...entries.map(renderEntry),
    Buffer.from(END),
  ]);
}

function renderEntry(entry: ArchiveEntry): Buffer {
  const path = Buffer.from(entry.path);
  const head = (letter: string, mode: number, content: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from(`${letter} ${mode} ${path.length} ${content.length}\n`), path, content]);
  switch (entry.kind) {
    case 'file':
      return head('f', entry.mode, entry.content);
    case 'directory':
      return head('d', entry.mode, Buffer.alloc(0));
    case 'symlink':
      return head('l', 0, Buffer.from(entry.target));
  }
}

/**
 * Waits in the memory of a template, so that a copy of it need start no program to become itself: that takes an emulated
 * processor most of a second. It writes the files, sets the name, the limit on threads, random numbers of its own and
 * the clock, and answers. What takes longer follows: the network first; systemd's look at its changed units, with less of the
 * processor than what its owner asks for, until it answers again; host keys and the first script by a shell.
 * Numbers of system calls are those of x86-64 (Linux, arch/x86/entry/syscalls/syscall_64.tbl); elsewhere programs do it.
 */
export const SLEEPER_PROGRAM = `use strict;
use Config;
use Fcntl;
my ($wake, $awake, $end) = ("${WAKE}", "${AWAKE}", "${END.replaceAll('\n', '\\n')}");
my $x64 = $Config{archname} =~ /^x86_64/;
my $all = "";
until (length($all) >= length($end) && substr($all, -length($end)) eq $end) {
  select undef, undef, undef, 0.01;
  open my $f, "<", $wake or next;
  local $/;
  $all = <$f> // "";
}
unlink $wake;
sub put {
  my ($path, $content, $mode) = @_;
  sysopen my $f, $path, O_WRONLY | O_CREAT | O_EXCL, $mode or die "$path: $!";
  syswrite($f, $content) == length $content or die "$path: $!";
  chmod $mode, $f;
}
sub tell_kernel {
  my ($path, $text) = @_;
  open my $f, ">", $path or die "$path: $!";
  syswrite $f, $text or die "$path: $!";
}
my $answer = eval {
  umask 0;
  $all =~ /\\G(\\d+) (\\d+) (\\d+) ([^\\n]+)\\n/gc or die "no header";
  my ($seconds, $micros, $threads, $name) = ($1, $2, $3, $4);
  while ($all =~ /\\G([fdl]) (\\d+) (\\d+) (\\d+)\\n/gc) {
    my ($kind, $mode, $length, $size, $at) = ($1, $2, $3, $4, pos $all);
    my $path = "/" . substr $all, $at, $length;
    my $content = substr $all, $at + $length, $size;
    pos($all) = $at + $length + $size;
    my $folder = "";
    for my $part (split m{/}, substr $path, 1) {
      mkdir $folder, 0755 if $folder ne "" && !-d $folder;
      $folder .= "/$part";
    }
    if ($kind eq "d") { mkdir $path, $mode unless -d $path; chmod $mode, $path; next }
    unlink $path;
    if ($kind eq "l") { symlink $content, $path or die "$path: $!" } else { put($path, $content, $mode) }
  }
  tell_kernel("/proc/sys/kernel/hostname", $name);
  tell_kernel("/proc/sys/kernel/threads-max", $threads);
  open my $seed, "<", "/var/lib/systemd/random-seed" or die "no seed";
  sysread $seed, my $random, 4096;
  open my $f, "+>", "/dev/urandom" or die "urandom: $!";
  syswrite $f, $random or die "urandom: $!";
  ioctl($f, 0x5207, 0) or die "the random numbers: $!";
  open my $uuid, "<", "/proc/sys/kernel/random/uuid" or die "uuid: $!";
  put("/run/mullion-boot-id", scalar <$uuid>, 0444);
  my ($from, $to) = ("/run/mullion-boot-id", "/proc/sys/kernel/random/boot_id");
  my ($none, $when) = ("", pack "qq", $seconds, $micros);
  if ($x64) {
    syscall(165, $from, $to, $none, 4096, $none) == 0 or die "boot id: $!";
    syscall(164, $when, 0) == 0 or die "clock: $!";
  } else {
    system("mount", "--bind", $from, $to) == 0 or die "boot id";
    system("date", "-u", "-s", "\\@$seconds") == 0 or die "clock";
  }
  "ok";
} || "failed: $@";
put("$awake.new", $answer, 0600);
rename "$awake.new", $awake;
exit unless $answer eq "ok" && -d "/run/systemd/system";
select undef, undef, undef, 0.1;
system "systemctl", "start", "systemd-networkd.socket", "systemd-networkd.service";
setpriority 0, 1, 10;
system "systemctl", "daemon-reexec";
system "systemctl show --property=Version >/dev/null";
setpriority 0, 1, 0;
exec "sh", "-c", q{
  systemctl restart --no-block systemd-journald.service
  systemctl restart mullion-ssh-keys.service
  systemctl start --no-block ssh.service
  systemctl start --no-block mullion-user-data.service
};
`;
