import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { type TechniqueReport, TechniqueReportSchema } from '../../contract/techniques.ts';

const VerdictsSchema = z.record(z.string(), TechniqueReportSchema);
type Verdicts = z.infer<typeof VerdictsSchema>;

/**
 * The verdict of a probe, which is remembered in the file for as long as all that `key` names stays the same; `anew` asks
 * the probe whatever is remembered. Only a good verdict is: a bad one may be the fault of the hour.
 */
export async function rememberedVerdict(
  path: string,
  key: string,
  anew: boolean,
  probe: () => Promise<TechniqueReport>,
): Promise<TechniqueReport> {
  const known = anew ? undefined : (await readVerdicts(path))[key];
  if (known?.state === 'healthy') return known;
  const report = await probe();
  await change(path, ({ [key]: _former, ...others }) =>
    report.state === 'healthy' ? { ...others, [key]: report } : others,
  );
  return report;
}

/** Verdicts of probes that are kept in the file, by what they depend on; none when it cannot be read. */
async function readVerdicts(path: string): Promise<Verdicts> {
  try {
    return VerdictsSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return {};
  }
}

let lastWrite: Promise<void> = Promise.resolve();

/** Techniques are probed at once: their verdicts are written one after another. */
function change(path: string, next: (verdicts: Verdicts) => Verdicts): Promise<void> {
  lastWrite = lastWrite.then(async () => write(path, next(await readVerdicts(path))));
  return lastWrite;
}

/** A verdict that cannot be kept is found again. */
async function write(path: string, verdicts: Verdicts): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(`${path}.new`, JSON.stringify(verdicts), { mode: 0o600 });
    await rename(`${path}.new`, path);
  } catch {
    return;
  }
}
