/** So many bytes of frames may be on their way to the host: a little less than Xen's ring holds. */
const WINDOW = 1500;
/** Room for a frame's own header. */
const RESERVE = 16;
/** Longest frame of input. */
export const INPUT_PIECE = 900;
/** Input that may be on its way to the command. */
export const INPUT_WINDOW = 32 * 1024;

/**
 * What runs in the guest for one exec whose streams share one serial line, which knows no end of file and must not hold
 * more than a little. Perl, as Debian's essential packages bring it: one process that waits for several streams at once.
 *
 * Arguments: the line's device, a secret token, a prefix for the FIFOs, their number (input first), and the command.
 * A frame is a letter, a length of 16 bits and as many bytes. To the host: `1`, `2` output of the first and second output
 * FIFO, `c` so many bytes of input are through, `z` goodbye. To the guest: `i` input (empty: its end), `a` so many bytes
 * of frames were read, `q` end. Before that both say the token on a line of its own, and skip what comes before it.
 */
export const RELAY = `use strict; use Fcntl; use POSIX ();
my ($device, $token, $base, $count, @command) = @ARGV;
sysopen(my $line, $device, O_RDWR | O_NOCTTY) or exit 125;
my $t = POSIX::Termios->new; $t->getattr(fileno $line);
$t->setiflag(0); $t->setoflag(0); $t->setlflag(0);
$t->setcc(POSIX::VMIN, 1); $t->setcc(POSIX::VTIME, 0); $t->setattr(fileno $line, POSIX::TCSANOW);
my (@fifos, @names);
sub finish { unlink @names; exit 0 }
for my $n (0 .. $count - 1) {
  my $name = "$base-$n"; unlink $name; POSIX::mkfifo($name, 0600) or exit 125; push @names, $name;
  sysopen(my $fifo, $name, O_RDWR | O_NONBLOCK) or exit 125; push @fifos, $fifo;
}
sub put { my $rest = shift; while (length $rest) { my $n = syswrite $line, $rest; defined $n or finish(); substr($rest, 0, $n) = '' } }
put("\\n$token\\n");
my $in = '';
until ($in =~ s/^.*?\\Q$token\\E\\n//s) {
  $in = substr $in, -100 if length $in > 100;
  sysread($line, $in, 4096, length $in) or finish();
}
my $child = fork; defined $child or finish();
if ($child == 0) { close $line; close $_ for @fifos; exec @command; POSIX::_exit(127) }
$SIG{PIPE} = 'IGNORE';
my ($window, $input, $through, $ended) = (${WINDOW}, '', 0, 0);
sub frame { my ($kind, $data) = @_; $window -= 3 + length $data; put($kind . pack('n', length $data) . $data) }
while (1) {
  while (length $in >= 3) {
    my ($kind, $length) = unpack 'a n', $in;
    if ($kind eq 'q') { put('z' . pack 'n', 0); finish() }
    if ($kind eq 'a') { $window += $length; substr($in, 0, 3) = ''; next }
    finish() if $length > ${INPUT_PIECE};
    last if length $in < 3 + $length;
    $ended = 1 if $length == 0;
    $input .= substr $in, 3, $length; substr($in, 0, 3 + $length) = '';
  }
  my $feed = $fifos[0];
  if ($ended and $input eq '' and $feed) { close $feed; $fifos[0] = undef; $feed = undef }
  my ($read, $write) = ('', '');
  vec($read, fileno $line, 1) = 1;
  if ($window > ${RESERVE}) { vec($read, fileno $fifos[$_], 1) = 1 for 1 .. $count - 1 }
  vec($write, fileno $feed, 1) = 1 if $feed and $input ne '';
  select($read, $write, undef, undef) >= 0 or next;
  if (vec $read, fileno $line, 1) { sysread($line, $in, 4096, length $in) or finish() }
  if ($feed and vec $write, fileno $feed, 1) {
    my $n = syswrite $feed, $input;
    if (defined $n) { substr($input, 0, $n) = ''; $through += $n }
    if ($through and ($input eq '' or $through >= 8192)) { put('c' . pack 'n', $through); $through = 0 }
  }
  for my $n (1 .. $count - 1) {
    next unless vec $read, fileno $fifos[$n], 1 and $window > ${RESERVE};
    my $got = sysread $fifos[$n], my $data, $window - ${RESERVE};
    frame($n, $data) if $got;
  }
}
`;
