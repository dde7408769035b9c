/** Longest frame's content, in bytes: its length has 16 bits. */
export const FRAME_LIMIT = 32 * 1024;
/** Of a frame's letter and length. */
export const FRAME_HEADER = 3;

/** Number of the system call setsid(2) (Linux, arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h). */
const SETSID = process.arch === 'x64' ? 112 : 157;

/**
 * What runs commands in the guest, one after the other: one process, which starts a command with pipes or a terminal of
 * its own and joins these with one line to the host. Perl, as Debian's essential packages bring it, and none of its
 * modules: loading POSIX takes an emulated processor longer than all else.
 *
 * Arguments: the line's device (`*` stands for a number; it is waited for), a secret token, and how many bytes may be on
 * their way to the host. Both sides first say the token on a line of its own, and skip what comes before it. Then each
 * speaks in frames: a letter, a length of 16 bits, content.
 *
 * From the host: `i` input (empty: its end), whose first bytes are a length of 32 bits and the request: user, group,
 * folder, rows and columns (empty without a terminal), how many variables, those, and the command, NUL between them;
 * `a` so many bytes of frames were read; `s` a signal's number; `w` rows and columns; `q` end: what still runs is killed;
 * then `n` a new token, for the next command; `x` exit.
 * To the host: `1`, `2` output; `E` this output has ended; `c` so many bytes of frames were read; `p` the command has
 * begun; `u` there is no such user or group; `e` its exit code; `z` goodbye.
 *
 * Numbers of ioctl(2) and fcntl(2) are those of asm-generic: TCGETS, TCSETS, TIOCSPTLCK, TIOCGPTN, TIOCSCTTY, TIOCSWINSZ;
 * F_SETFL with O_NONBLOCK.
 */
export const RUNNER = `use strict;
my ($device, $token, $room) = @ARGV;
my ($line, $window, $pid, $master, $feed, @out, $started, $ended, $over);
my ($in, $input, $owed) = ("", "", 0);
sub path {
  my ($folder, $name) = $device =~ m{^(.*)/(.*)$}s;
  return $device unless $name =~ s/\\*/\\\\d+/;
  opendir my $all, $folder or return $device;
  my ($found) = grep { /^$name$/ } readdir $all;
  return "$folder/" . ($found // "none");
}
for (my $n = 0; !sysopen $line, path(), 2; $n++) { exit 125 if $n > 500; select undef, undef, undef, 0.02 }
my $t = "\\0" x 60;
if (-t $line && ioctl $line, 0x5401, $t) {
  my ($c, $rest) = (unpack "L4 a*", $t)[2, 4];
  substr($rest, 6, 2) = "\\0\\1";
  ioctl $line, 0x5402, pack "L4 a*", 0, 0, $c, 0, $rest;
}
sub finish { kill -9, $pid if $pid; exit 0 }
sub put {
  my $rest = shift;
  while (length $rest) { my $n = syswrite $line, $rest; if (defined $n) { substr($rest, 0, $n) = "" } elsif ($! != 4) { exit 0 } }
}
sub frame { my ($kind, $data) = @_; put($kind . pack("n", length $data) . $data) }
sub hear { my $n = sysread $line, $in, 65536, length $in; exit 0 unless $n || !defined $n && $! == 4 }
$SIG{PIPE} = "IGNORE";
pipe my $woken, my $wake or exit 125;
fcntl $_, 4, 2048 for $woken, $wake;
$SIG{CHLD} = sub { syswrite $wake, "!" };
sub greet {
  ($window, $pid, $started, $ended, $over, $owed, $input) = ($room, 0, 0, 0, 0, 0, "");
  put("\\n$token\\n");
  until ($in =~ s/^.*?\\Q$token\\E\\n//s) { $in = substr $in, -100 if length $in > 100; hear() }
}
sub over {
  if ($pid) { kill -9, $pid; waitpid $pid, 0; $pid = 0 }
  undef $_ for $master, $feed, @out;
  $over = 1;
  frame("z", "");
}
sub failed { my ($what, $code) = @_; syswrite STDERR, "mullion: $what: $!\\n"; exit $code }
sub start {
  my ($user, $group, $folder, $rows, $columns, $count, @rest) = split /\\0/, shift, -1;
  my ($name, $uid, $gid, $home, @groups) = ("root", 0, 0, "/root");
  if ($user ne "") {
    my @who = getpwnam $user;
    @who = getpwuid $user if !@who && $user =~ /^\\d+$/;
    return frame("u", "") unless @who || $user =~ /^\\d+$/;
    ($name, $uid, $gid, $home) = @who ? @who[0, 2, 3, 7] : ($user, $user, $user, "/");
    while (my @g = getgrent) { push @groups, $g[2] if grep { $_ eq $name } split " ", $g[3] }
  }
  if ($group ne "") {
    $gid = $group =~ /^\\d+$/ ? $group : getgrnam $group;
    return frame("u", "") unless defined $gid;
  }
  $home = "/" unless -d $home;
  my ($stdin, $stdout, $stderr, $tty);
  if ($rows ne "") {
    my ($unlock, $number) = (pack("i", 0), pack "i", 0);
    sysopen $master, "/dev/ptmx", 2 and ioctl $master, 0x40045431, $unlock and ioctl $master, 0x80045430, $number or exit 125;
    $tty = "/dev/pts/" . unpack "i", $number;
    $feed = $out[1] = $master;
  } else {
    pipe $stdin, $feed and pipe $out[1], $stdout and pipe $out[2], $stderr or exit 125;
  }
  pipe my $ready, my $said or exit 125;
  $pid = fork // exit 125;
  if ($pid == 0) {
    if (8 == length pack "p", "") { syscall ${SETSID} } else { setpgrp }
    setpriority 0, 0, 0;
    if (defined $tty) {
      sysopen $stdin, $tty, 2 or exit 126;
      ioctl $stdin, 0x540e, 0;
      ioctl $stdin, 0x5414, pack "S4", $rows, $columns, 0, 0;
      chown $uid, -1, $tty;
      $stdout = $stderr = $stdin;
    }
    syswrite $said, "!";
    open STDIN, "<&", $stdin and open STDOUT, ">&", $stdout and open STDERR, ">&", $stderr or exit 126;
    if ($user ne "" || $group ne "") {
      $) = join " ", $gid, $gid, @groups;
      $( = $gid;
      ($<, $>) = ($uid, $uid);
      failed($name, 126) if $< != $uid || $> != $uid || int($() != $gid || int($)) != $gid;
    }
    %ENV = (HOME => $home, USER => $name, LOGNAME => $name);
    for (splice @rest, 0, $count) { my ($key, $value) = split /=/, $_, 2; $ENV{$key} = $value }
    $folder = $ENV{HOME} if $folder eq "";
    chdir $folder or failed($folder, 126);
    $SIG{$_} = "DEFAULT" for "PIPE", "CHLD";
    no warnings;
    exec { $rest[0] } @rest;
    failed($rest[0], $! == 2 ? 127 : 126);
  }
  close $_ for grep { defined } $stdin, $stdout, $stderr, $said;
  sysread $ready, my $word, 1;
  fcntl $feed, 4, 2048;
  frame("p", "");
}
sub take {
  while (length $in >= 3) {
    my ($kind, $length) = unpack "a n", $in;
    finish() if $kind eq "x" || $length > ${FRAME_LIMIT};
    return if length $in < 3 + $length;
    my $data = substr $in, 3, $length;
    substr($in, 0, 3 + $length) = "";
    if ($kind eq "n" && $over) { $token = $data; greet() }
    elsif ($over) { next }
    elsif ($kind eq "q") { over() }
    elsif ($kind eq "a") { $window += unpack "N", $data }
    elsif ($kind eq "s") { kill -unpack("C", $data), $pid if $pid }
    elsif ($kind eq "w") { ioctl $master, 0x5414, pack "S4", unpack("n2", $data), 0, 0 if $master }
    elsif ($kind eq "i") { $input .= $data; $ended = 1 if $length == 0; $owed += 3 + $length }
  }
}
sub feed {
  return if $over;
  if (!$started) {
    return if length $input < 4 or length $input < 4 + unpack "N", $input;
    my $request = substr $input, 4, unpack "N", $input;
    substr($input, 0, 4 + length $request) = "";
    $started = 1;
    start($request);
  }
  if (!$feed) { $input = ""; return }
  if ($input ne "") {
    my $n = syswrite $feed, $input;
    if (defined $n) { substr($input, 0, $n) = "" }
    elsif ($! != 4 && $! != 11) { undef $feed; $input = "" }
  }
  if ($ended && $input eq "" && $feed) {
    return if $master && !syswrite $feed, "\\4";
    undef $feed;
  }
}
sub look {
  if ($pid && waitpid($pid, 1) == $pid) {
    my $code = $? & 127 ? 128 + ($? & 127) : $? >> 8;
    $pid = 0;
    frame("e", chr $code);
  }
}
greet();
while (1) {
  take();
  feed();
  if (!$over && $owed && length $input <= 65536) { frame("c", pack "N", $owed); $owed = 0 }
  look();
  my ($read, $write, $open) = ("", "", 0);
  vec($read, fileno $_, 1) = 1 for $line, $woken;
  for my $n (1, 2) { my $from = $out[$n] or next; $open = 1; vec($read, fileno $from, 1) = 1 if $window > 64 }
  vec($write, fileno $feed, 1) = 1 if $feed && $input ne "";
  # A signal in the moment before the wait does not end it.
  my $found = select $read, $write, undef, $pid ? ($open ? 1 : 0.02) : undef;
  next if $found <= 0;
  sysread $woken, my $all, 64 if vec $read, fileno $woken, 1;
  hear() if vec $read, fileno $line, 1;
  for my $n (1, 2) {
    my $from = $out[$n] or next;
    next unless $window > 64 && vec $read, fileno $from, 1;
    my $most = $window - 3;
    my $got = sysread $from, my $data, $most < ${FRAME_LIMIT} ? $most : ${FRAME_LIMIT};
    if ($got) { $window -= 3 + $got; frame($n, $data) }
    elsif (defined $got || $! != 4 && $! != 11) { undef $out[$n]; frame("E", chr $n) }
  }
}
`;
export const PERL = '/usr/bin/perl';
