import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import { MIB } from '../../contract/sizes.ts';
import type { Machine } from '../driver.ts';
import type { AgentChannel } from '../guest-agent/agent-channel.ts';
import { runInGuest } from '../guest-agent/agent-commands.ts';
import { TRANSLATION_CACHE_MIB } from './command-line.ts';
import { machinePaths } from './paths.ts';
import type { QmpClient } from './qmp.ts';

const SMALLEST_REGION = 2 * MIB;
const REGIONS_PER_CPU = 8;
const ROUNDS = 40;
/** Takes many ways through the guest's kernel and programs. */
const WORK = 'for p in /bin/* /usr/bin/*; do [ -x "$p" ]; done; ls -l /etc; cat /proc/*/status; getconf -a';

const TextSchema = z.object({ 'human-readable-text': z.string().max(65_536) });
const AnswerSchema = z.string().max(65_536);

/** Bytes of translated code. */
export interface TranslatedCode {
  readonly used: number;
  readonly capacity: number;
}

/** Reads `gen code size USED/CAPACITY` of QMP's x-query-jit; undefined when it does not say so. */
export function parseTranslatedCode(text: string): TranslatedCode | undefined {
  const [, used, capacity] = /^gen code size\s+([\d,]+)\/([\d,]+)/m.exec(text) ?? [];
  if (used === undefined || capacity === undefined) return undefined;
  return { used: Number(used.replaceAll(',', '')), capacity: Number(capacity.replaceAll(',', '')) };
}

/** Regions of the translation cache (QEMU, tcg/region.c, tcg_n_regions). */
export function regionsOf(cacheBytes: number, maximumCpus: number): number {
  if (maximumCpus === 1) return 1;
  const most = Math.floor(cacheBytes / SMALLEST_REGION);
  return most <= maximumCpus ? maximumCpus : Math.min(most, maximumCpus * REGIONS_PER_CPU);
}

/**
 * Whether a region is free for one more processor, and another that may be taken meanwhile. Each of `cpus` holds one
 * that it fills, and all that are full stay taken until none is left, when QEMU empties them all.
 */
export function hasRoom({ used, capacity }: TranslatedCode, regions: number, cpus: number): boolean {
  const full = Math.floor(used / (capacity / regions) + 0.01);
  return full + cpus + (regions > cpus + 1 ? 1 : 0) < regions;
}

/**
 * Sees to it that an emulated processor can be plugged in. QEMU ends itself when a new one finds all regions of its translation
 * cache taken (tcg/region.c, tcg_region_initial_alloc), and has no command that empties them; the guest does so by running
 * code that is new to QEMU, of which there is plenty while each of its instructions is translated alone.
 * @throws MullionError `insufficient_cpus` when that did not help
 */
export async function makeTranslationRoom(
  machine: Machine,
  monitor: QmpClient,
  agent: AgentChannel,
  cpus: number,
  maximumCpus: number,
): Promise<void> {
  const regions = regionsOf(TRANSLATION_CACHE_MIB * MIB, maximumCpus);
  const isRoom = async (): Promise<boolean> => {
    const { 'human-readable-text': text } = await monitor.execute('x-query-jit', {}, TextSchema);
    const code = parseTranslatedCode(text);
    return code === undefined || hasRoom(code, regions, cpus);
  };
  if (await isRoom()) return;
  await writeFile(machinePaths(machine).singly, '', { mode: 0o600 });
  try {
    await translateSingly(monitor, true);
    for (let round = 0; round < ROUNDS; round++) {
      await runInGuest(agent, ['/bin/sh', '-c', `(${WORK}) >/dev/null 2>&1; exit 0`], 30_000);
      if (await isRoom()) return;
    }
  } finally {
    await translateAsUsual(machine, async () => monitor);
  }
  throw new MullionError('insufficient_cpus', 'The emulator has no room for one more processor now.', {
    remedy: 'Stop it, set cpus, and start it again',
  });
}

/** Ends what a daemon that was killed meanwhile had begun: the guest is slow by it. */
export async function translateAsUsual(machine: Machine, monitor: () => Promise<QmpClient>): Promise<void> {
  const { singly } = machinePaths(machine);
  if (!existsSync(singly)) return;
  await translateSingly(await monitor(), false);
  await rm(singly, { force: true });
}

/** Its name changed with QEMU 8.1; of a command that it does not know, the monitor for people says so in its answer. */
async function translateSingly(monitor: QmpClient, on: boolean): Promise<void> {
  for (const name of ['one-insn-per-tb', 'singlestep']) {
    const command = { 'command-line': `${name} ${on ? 'on' : 'off'}` };
    if (!/unknown command/.test(await monitor.execute('human-monitor-command', command, AnswerSchema)))
      return;
  }
}
