import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../support/command.ts';
import { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/scratch.ts';
import { ATTACKS } from './attacks.ts';
import { quantile } from './measure.ts';
import type { Section } from './report.ts';

/** Each attack lasts this long, after as long a time of peace. */
const SECONDS = Number(process.env.MULLION_BENCH_NOISE_S ?? 10);
const GAP_MS = 5;
const PORT = 8000;
const AIM = 1.5;

/**
 * Answers a page, and on /write one after 4 KiB are on the disk, with the milliseconds that took: by clock_gettime(2),
 * whose numbers are those of x86-64 and asm-generic, as Debian's perl-base has no Time::HiRes.
 */
const VICTIM = `use Socket; use IO::Handle; use Config; $SIG{PIPE} = 'IGNORE';
sub now { my $t = pack 'q2', 0, 0; syscall($Config{archname} =~ /^x86_64/ ? 228 : 113, 1, $t); my ($s, $n) = unpack 'q2', $t; $s + $n / 1e9 }
socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
bind(S, sockaddr_in(${PORT}, INADDR_ANY)) or die; listen(S, 64); open(F, '>', '/root/journal') or die; $n = 0;
while (accept(C, S)) { sysread(C, $q, 4096); $b = 'x' x 1024;
  if ($q =~ m{^GET /write}) { $t = now(); sysseek(F, 4096 * ($n++ % 256), 0); syswrite(F, 'y' x 4096); F->sync;
    $b = 1000 * (now() - $t) }
  syswrite(C, "HTTP/1.0 200 OK\\r\\nContent-Length: " . length($b) . "\\r\\n\\r\\n$b"); close C }`;

interface Look {
  /** Milliseconds of a whole request. */
  readonly http: readonly number[];
  /** Milliseconds of a synced write, by the victim's own clock. */
  readonly write: readonly number[];
}

function get(host: string, path: string): Promise<string> {
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

async function look(host: string, ms: number): Promise<Look> {
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

/** A network beyond the host, so that packets for it are forwarded and tracked. It has nobody in it. */
async function makeOutside(): Promise<void> {
  const lines = [
    'link add outside type bridge',
    'link set outside up',
    'address add 203.0.113.1/24 dev outside',
  ];
  const { code, stderr } = await runCommand(['ip', '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
  if (code !== 0) throw new Error(stderr);
}

const figure = (value: number): string => value.toFixed(value < 10 ? 2 : 1);

function row(name: string, calm: Look, noisy: Look): string {
  const ratios: number[] = [];
  const cells = (['http', 'write'] as const).flatMap((what) => {
    const of = (samples: Look, share: number): number => quantile(samples[what], share);
    ratios.push(of(noisy, 0.99) / of(calm, 0.99));
    return [0.5, 0.99].map(
      (share) =>
        `${figure(of(calm, share))} to ${figure(of(noisy, share))} (${figure(of(noisy, share) / of(calm, share))}x)`,
    );
  });
  const met = ratios.every((ratio) => ratio <= AIM) ? 'yes' : 'no';
  return `| ${name} | ${cells.join(' | ')} | ${calm.http.length} and ${noisy.http.length} | ${met} |`;
}

/** What one VPS feels of another that does one thing as hard as its default limits let it. */
export async function noiseSection(): Promise<Section> {
  await using daemon = await TestDaemon.start('bench-noise');
  await daemon.ensureImage();
  await makeOutside();
  for (const name of ['victim', 'attacker'])
    await daemon.ok(['launch', 'debian/12', name, '--technique', 'os']);
  const quoted = VICTIM.replaceAll("'", "'\\''");
  await daemon.inside('victim', `setsid perl -e '${quoted}' >/dev/null 2>&1 </dev/null &`);
  const { addresses } = await daemon.client.call('vps.info', { params: { name: 'victim' } });
  const host = addresses[0] ?? '';
  const answers = (): Promise<boolean> => get(host, '/write').then(Boolean, () => false);
  await eventually('the victim answers', answers, 30_000);
  await look(host, 1_000);
  const lines: string[] = [];
  for (const { name, script } of ATTACKS) {
    const calm = await look(host, SECONDS * 1000);
    const attack = daemon.cli(
      [
        'exec',
        'attacker',
        '--',
        'timeout',
        '-s',
        'KILL',
        String(SECONDS + 2),
        'sh',
        '-c',
        script({ victim: host }),
      ],
      { timeoutMs: 60_000 },
    );
    await sleep(1_000);
    const noisy = await look(host, SECONDS * 1000);
    await attack;
    // What it forked outlives the command; so does what it left in the disk's queue.
    await daemon.cli([
      'exec',
      'attacker',
      '--',
      'sh',
      '-c',
      'pkill -KILL perl; pkill -KILL dd; rm -rf /root/noise; sync',
    ]);
    lines.push(row(name, calm, noisy));
    console.log(lines.at(-1));
  }
  return {
    title: 'What a VPS feels of a noisy neighbour',
    notes: [
      `Two VPSs of technique os with default limits. One answers HTTP and does synced writes of 4 KiB; the other does one`,
      `thing as hard as it can for ${SECONDS} s. Milliseconds, before and during, and how many times as long. What the`,
      'kernel cannot part is named in docs/security.md.',
    ],
    measurements: [],
    lines: [
      '| neighbour | HTTP p50 | HTTP p99 | synced write p50 | synced write p99 | samples | p99 at most 1.5x |',
      '|---|---|---|---|---|---|---|',
      ...lines,
    ],
  };
}
