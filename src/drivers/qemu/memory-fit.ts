import { statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import * as z from 'zod';
import { run } from '../../host/run.ts';
import { processorIdentity } from '../../host/virtualization.ts';
import type { Machine } from '../driver.ts';
import { diskFile } from '../guest-disk/disk.ts';
import { differencesOfShape, shapeOf } from '../guest-disk/shape.ts';
import { PROGRAM } from './command-line.ts';
import { portNumber } from './guest-ports.ts';
import type { QmpClient } from './qmp.ts';
import type { MemoryHeader } from './saved-memory.ts';

const VersionSchema = z.object({
  qemu: z.object({ major: z.number(), minor: z.number(), micro: z.number() }),
  package: z.string(),
});
const MemorySizeSchema = z.object({ 'base-memory': z.number().int() });
const CpusSchema = z.array(z.object({ 'qom-path': z.string().optional() }));
const DevicesSchema = z.array(z.object({ name: z.string() }));

/**
 * What the machine behind this monitor is now: some of it may differ from its limits until it starts again.
 * @param runner that waits in it for whoever goes on from its memory
 */
export async function describeMachine(
  machine: Machine,
  monitor: QmpClient,
  runner: MemoryHeader['runner'],
): Promise<MemoryHeader> {
  const { qemu, package: origin } = await monitor.execute('query-version', {}, VersionSchema);
  const size = await monitor.execute('query-memory-size-summary', {}, MemorySizeSchema);
  const slots = await monitor.execute('query-hotpluggable-cpus', {}, CpusSchema);
  const devices = await monitor.execute('qom-list', { path: '/machine/peripheral' }, DevicesSchema);
  const ports = devices.flatMap(({ name }) => portNumber(name) ?? []);
  return {
    version: 1,
    technique: machine.technique,
    template: machine.template === true,
    qemu: versionText(`${qemu.major}.${qemu.minor}.${qemu.micro}`, origin),
    processor: processorIdentity(),
    memory: size['base-memory'],
    cpus: slots.filter((slot) => slot['qom-path'] !== undefined).length,
    maximumCpus: slots.length,
    disk: (await stat(diskFile(machine))).size,
    nics: machine.nics.length,
    ports: ports.filter((number) => number !== runner?.port),
    runner,
  };
}

const versionText = (version: string, origin: string): string =>
  origin === '' ? version : `${version} (${origin.replace(/^\((.*)\)$/, '$1')})`;

let known: { readonly changed: number; readonly text: string } | undefined;

/** Of the QEMU that would be started now. */
export async function qemuVersion(): Promise<string> {
  const changed = statSync(PROGRAM).ctimeMs;
  if (known?.changed !== changed) {
    const { stdout } = await run([PROGRAM, '--version'], { timeoutMs: 10_000 });
    const [, version = stdout.slice(0, 100), origin = ''] =
      /version (\S+)(?: \((.*)\))?$/m.exec(stdout) ?? [];
    known = { changed, text: versionText(version, origin) };
  }
  return known.text;
}

/** Why memory with this header cannot be gone on from as the machine is now; undefined when it can. */
export async function whyUnfit(machine: Machine, header: MemoryHeader): Promise<string | undefined> {
  return differences(machine, header, { qemu: await qemuVersion(), processor: processorIdentity() })[0];
}

export function differences(
  { technique, limits, nics }: Pick<Machine, 'technique' | 'limits' | 'nics'>,
  header: MemoryHeader,
  host: { readonly qemu: string; readonly processor: string },
): string[] {
  // A template has no links: each machine gets its own.
  const then = header.template ? { ...header, nics: nics.length } : header;
  return [
    ...(header.technique === technique
      ? []
      : [`it was saved with the technique ${header.technique}, and is ${technique} now`]),
    ...(header.qemu === host.qemu ? [] : [`it was saved by QEMU ${header.qemu}, and here is ${host.qemu}`]),
    ...(header.processor === host.processor ? [] : ['it was saved on a processor of another kind']),
    ...differencesOfShape(then, shapeOf({ limits, nics })),
  ];
}
