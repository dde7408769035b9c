#!/usr/bin/perl
# Stands in the place of a guest's agent, and tells lies of the kind that /run/lie names, for as many seconds as it
# names; the true agent follows. It is called as that is: -m METHOD -p PORT.
use strict;
my $true = "/usr/sbin/qemu-ga.true";
my %flags = @ARGV[0 .. 3];
open my $plan, "<", "/run/lie" or exec $true, @ARGV;
my ($lie, $seconds) = split " ", <$plan>;
unlink "/run/lie";
my $port;
# What a serial line has not taken would hold up its close (TCFLSH, TCOFLUSH).
$SIG{ALRM} = sub { ioctl $port, 0x540b, 1; exec $true, @ARGV };
alarm $seconds;
select undef, undef, undef, 0.02 until open $port, "+<", $flags{"-p"};
system "stty", "-F", $flags{"-p"}, "raw", "-echo" if $flags{"-m"} eq "isa-serial";
open my $sign, ">", "/run/lying";

sub say_all {
  my $rest = shift;
  while (length $rest) { my $n = syswrite $port, $rest; substr($rest, 0, $n // 0) = "" }
}
my $base64 = "QUFB" x 16_384;
my %answers = (
  "guest-exec" => '{"pid":1}',
  "guest-exec-status" => qq({"exited":true,"exitcode":0,"out-data":"$base64","err-data":"$base64"}),
  "guest-file-open" => 1000,
  "guest-file-read" => qq({"count":1000000000,"buf-b64":"$base64","eof":false}),
  "guest-file-write" => '{"count":0,"eof":false}',
  "guest-fsfreeze-freeze" => 9007199254740993,
  "guest-fsfreeze-thaw" => -1,
);
my %lies = (
  silence => sub { },
  noise => sub { say_all(join "", map { chr 1 + rand 254 } 1 .. 4096) while 1 },
  lines => sub { say_all("{\"return\":{}}\n" x 4096) while 1 },
  depth => sub { say_all("[" x 1_500_000 . "\n") },
  length => sub { say_all("\xff{\"return\":\"" . "a" x 5_000_000) },
  refusals => sub { say_all('{"error":{"class":"\\u001b[2J","desc":"' . "\\u001b]0;x\\u0007" x 300 . "\"}}\n") },
  forgery => sub {
    my ($command) = $_[0] =~ /"execute":"([a-z-]+)"/;
    say_all('{"return":' . ($answers{$command} // "{}") . "}\n");
  },
);
my $heard = "";
while (1) {
  $lies{$lie}->("") if $lie =~ /^(noise|lines)$/;
  my $n = sysread $port, $heard, 65_536, length $heard;
  select undef, undef, undef, 0.01 unless $n;
  while ($heard =~ s/^(.*?)\n//s) {
    my $line = $1;
    my $id = $line =~ /guest-sync-delimited.*"id":(\d+)/ ? $1 : undef;
    if (defined $id && $lie =~ /^(forgery|refusals)$/) { say_all("\xff{\"return\":$id}\n") }
    else { $lies{$lie}->($line) }
  }
}
