import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const GAP_MS = 5;
const PORT = 8000;

/**
 * Answers a page, and on /write one after 4 KiB are on the disk, with the milliseconds that took: by clock_gettime(2),
 * whose numbers are those of x86-64 and asm-generic, as Debian's perl-base has no Time::HiRes.
 */
export const VICTIM = `use Socket; use IO::Handle; use Config; $SIG{PIPE} = 'IGNORE';
sub now { my $t = pack 'q2', 0, 0; syscall($Config{archname} =~ /^x86_64/ ? 228 : 113, 1, $t); my ($s, $n) = unpack 'q2', $t; $s + $n / 1e9 }
socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
bind(S, sockaddr_in(${PORT}, INADDR_ANY)) or die; listen(S, 64); open(F, '>', '/root/journal') or die; $n = 0;
while (accept(C, S)) { sysread(C, $q, 4096); $b = 'x' x 1024;
  if ($q =~ m{^GET /write}) { $t = now(); sysseek(F, 4096 * ($n++ % 256), 0); syswrite(F, 'y' x 4096); F->sync;
    $b = 1000 * (now() - $t) }
  syswrite(C, "HTTP/1.0 200 OK\\r\\nContent-Length: " . length($b) . "\\r\\n\\r\\n$b"); close C }`;

export interface Look {
  /** Milliseconds of a whole request. */
  readonly http: readonly number[];
  /** Milliseconds of a synced write, by the victim's own clock. */
  readonly write: readonly number[];
}

export function get(host: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ host, port: PORT, path, agent: false, timeout: 10_000 }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      answer.on('end', () => resolve(body)).on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer within 10 s')));
    asked.on('error', reject).end();
  });
}

export async function look(host: string, ms: number): Promise<Look> {
  const [http, write]: [number[], number[]] = [[], []];
  const end = performance.now() + ms;
  while (performance.now() < end) {
    const began = performance.now();
    await get(host, '/');
    http.push(performance.now() - began);
    write.push(Number(await get(host, '/write')));
    await sleep(GAP_MS);
  }
  return { http, write };
}
