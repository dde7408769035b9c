import { z } from 'zod';
import { runCommand } from '../support/command.ts';

const GAP_MS = 5;
const PATIENCE_S = 10;
const PORT = 8000;

/** Milliseconds of a clock that only goes on. */
const NOW = `sub now { my $t = pack 'q2', 0, 0; syscall($Config{archname} =~ /^x86_64/ ? 228 : 113, 1, $t); my ($s, $n) = unpack 'q2', $t; 1000 * ($s + $n / 1e9) }`;

/**
 * Answers a page, and on /write one after 4 KiB are on the disk, with the milliseconds that took: by clock_gettime(2),
 * whose numbers are those of x86-64 and asm-generic, as Debian's perl-base has no Time::HiRes.
 */
export const VICTIM = `use Socket; use IO::Handle; use Config; $SIG{PIPE} = 'IGNORE'; ${NOW}
socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
bind(S, sockaddr_in(${PORT}, INADDR_ANY)) or die; listen(S, 64); open(F, '>', '/root/journal') or die; $n = 0;
while (accept(C, S)) { sysread(C, $q, 4096); $b = 'x' x 1024;
  if ($q =~ m{^GET /write}) { $t = now(); sysseek(F, 4096 * ($n++ % 256), 0); syswrite(F, 'y' x 4096); F->sync;
    $b = now() - $t }
  syswrite(C, "HTTP/1.0 200 OK\\r\\nContent-Length: " . length($b) . "\\r\\n\\r\\n$b"); close C }`;

/**
 * Asks for the page and for a write, again and again, and tells at the end what each took. It is as small as the victim: one
 * with a runtime that collects its garbage on other threads would measure how these fare beside the neighbour.
 */
const CLIENT = `use Socket; use Config; ${NOW}
my ($host, $ms) = @ARGV; my (@http, @write); $SIG{ALRM} = sub { die "no answer within ${PATIENCE_S} s\\n" };
sub get { my $a = ''; alarm ${PATIENCE_S}; socket(S, PF_INET, SOCK_STREAM, 0); connect(S, sockaddr_in(${PORT}, inet_aton($host))) or die "connect: $!\\n";
  syswrite(S, "GET $_[0] HTTP/1.0\\r\\n\\r\\n"); 1 while sysread(S, $a, 4096, length $a); close S; alarm 0;
  $a =~ m{^HTTP/1.0 200 OK\\r\\nContent-Length: (\\d+)\\r\\n\\r\\n(.+)$}s && $1 == length $2 or die "not an answer: $a\\n"; $2 }
my $end = now() + $ms;
while (now() < $end) { my $t = now(); get('/'); push @http, now() - $t; push @write, get('/write'); select undef, undef, undef, ${GAP_MS} / 1000 }
print '{"http":[', join(',', @http), '],"write":[', join(',', @write), ']}'`;

const LookSchema = z.object({ http: z.array(z.number().positive()), write: z.array(z.number().positive()) });

/** Milliseconds: of a whole request, by its client's clock; of a synced write, by the victim's own. */
export type Look = Readonly<z.infer<typeof LookSchema>>;

/** What the victim's answers take for so long. @throws an error when it does not answer one */
export async function look(host: string, ms: number): Promise<Look> {
  const { code, stdout, stderr } = await runCommand(['perl', '-e', CLIENT, host, String(ms)], {
    timeoutMs: ms + 2 * PATIENCE_S * 1000,
  });
  if (code !== 0) throw new Error(`the victim's client failed: ${stderr}`);
  return LookSchema.parse(JSON.parse(stdout));
}
