import { globSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { poolDirectory } from '../../src/core/naming.ts';
import { quoteWord } from '../../src/drivers/guest-agent/exec-script.ts';
import { runCommand } from '../support/command.ts';
import { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/scratch.ts';
import { ATTACKS, type Attack } from './attacks.ts';
import { quantile } from './measure.ts';
import { mullionPair, otherPairs, type Pair } from './noise-pairs.ts';
import { type Look, look, VICTIM } from './noise-victim.ts';
import type { Section } from './report.ts';

/** Each attack lasts this long, after as long a time of peace. */
const SECONDS = Number(process.env.MULLION_BENCH_NOISE_S ?? 10);
const AIM = 1.5;
/** After so long it has been noticed who is busy. */
const SETTLED_MS = 2_000;

/**
 * A network beyond the host, so that packets for it are forwarded and tracked. It has nobody in it, and nobody is asked for:
 * a program of the host would wait for that answer, and send no more.
 */
export async function makeOutside(): Promise<void> {
  const lines = [
    'link add outside arp off type veth peer name nobody',
    'link set nobody up',
    'link set outside up',
    'address add 203.0.113.1/24 dev outside',
  ];
  const { code, stderr } = await runCommand(['ip', '-batch', '-'], { stdin: `${lines.join('\n')}\n` });
  if (code !== 0) throw new Error(stderr);
}

export const NOISE_HEAD = [
  '| neighbour | of | HTTP p50 | HTTP p99 | synced write p50 | synced write p99 | samples | p99 at most 1.5x |',
  '|---|---|---|---|---|---|---|---|',
] as const;

const figure = (value: number): string => value.toFixed(value < 10 ? 2 : 1);

export function noiseRow(name: string, kind: string, calm: Look, noisy: Look): string {
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
  return `| ${name} | ${kind} | ${cells.join(' | ')} | ${calm.http.length} and ${noisy.http.length} | ${met} |`;
}

/** Has the victim answer from now on. */
export async function openService({ host, kind, run }: Pair): Promise<void> {
  await run('victim', `setsid perl -e ${quoteWord(VICTIM)} >/dev/null 2>&1 </dev/null &`);
  await eventually(`the victim answers (${kind})`, () => look(host, 1).then(Boolean, () => false), 30_000);
  await look(host, 1_000);
}

/** What the victim feels before and during an attack. @throws an error when it does not answer a request */
export async function underAttack(
  { host, limit, run }: Pair,
  { limits = {}, script }: Attack,
  seconds: number,
): Promise<{ readonly calm: Look; readonly noisy: Look }> {
  const changed = Object.keys(limits);
  if (changed.length > 0) await limit?.(limits);
  const calm = await look(host, seconds * 1000);
  const line = quoteWord(script({ victim: host }));
  const attack = run('attacker', `timeout -s KILL ${seconds + SETTLED_MS / 1000 + 1} sh -c ${line}`);
  await sleep(SETTLED_MS);
  const noisy = await look(host, seconds * 1000);
  await attack;
  // What it forked outlives the command; so does what it left in the disk's queue.
  await run('attacker', 'pkill -KILL perl; pkill -KILL dd; rm -rf /root/noise; sync');
  if (changed.length > 0) await limit?.(Object.fromEntries(changed.map((name) => [name, '0'])));
  return { calm, noisy };
}

/** What the victim feels of each attack, by the attack's name. */
async function feel(pair: Pair): Promise<ReadonlyMap<string, string>> {
  await pair.settle?.();
  await openService(pair);
  const rows = new Map<string, string>();
  for (const attack of ATTACKS) {
    if (attack.onlyLimited === true && pair.limit === undefined) continue;
    const { calm, noisy } = await underAttack(pair, attack, SECONDS);
    rows.set(attack.name, noiseRow(attack.name, pair.kind, calm, noisy));
    console.log(rows.get(attack.name));
  }
  return rows;
}

/** What one VPS feels of another that does one thing as hard as its default limits let it; and containers of other tools. */
export async function noiseSection(): Promise<Section> {
  await using daemon = await TestDaemon.start('bench-noise');
  await daemon.ensureImage();
  await makeOutside();
  const folder = join(daemon.folder, 'noise');
  mkdirSync(folder);
  const rootfs = globSync(`${poolDirectory({ instance: '', ...daemon.place })}/images/*/rootfs`)[0];
  if (rootfs === undefined) throw new Error('the image has no rootfs folder');
  const pairs = [() => mullionPair(daemon), ...otherPairs(rootfs, folder)];
  const felt: ReadonlyMap<string, string>[] = [];
  for (const open of pairs) {
    await using pair = await open();
    felt.push(await feel(pair));
  }
  return {
    title: 'What a VPS feels of a noisy neighbour',
    notes: [
      `Two containers of a kind. One answers HTTP and does synced writes of 4 KiB; the other does one thing as hard as it can`,
      `for ${SECONDS} s, after ${SETTLED_MS / 1000} s of it. Milliseconds by a small client on the host, before and during, and how many`,
      'times as long. VPSs have their default limits; the others',
      'have none and share one network, which is what their tools make when nothing is said, and do not fork without end. What',
      'the kernel cannot part is named in docs/security.md.',
    ],
    measurements: [],
    lines: [...NOISE_HEAD, ...ATTACKS.flatMap(({ name }) => felt.flatMap((rows) => rows.get(name) ?? []))],
  };
}
