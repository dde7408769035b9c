import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as z from 'zod';
import { type TechniqueReport, TechniqueReportSchema } from '../../contract/techniques.ts';

const VerdictsSchema = z.record(z.string(), TechniqueReportSchema);
type Verdicts = z.infer<typeof VerdictsSchema>;

/** Verdicts of probes that are kept in the file, by what they depend on; none when it cannot be read. */
export async function readVerdicts(path: string): Promise<Verdicts> {
  try {
    return VerdictsSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return {};
  }
}

let lastWrite: Promise<void> = Promise.resolve();

/** Adds a verdict to those that are kept. Techniques are probed at once: their verdicts are written one after another. */
export function remember(path: string, key: string, report: TechniqueReport): Promise<void> {
  lastWrite = lastWrite.then(async () => write(path, { ...(await readVerdicts(path)), [key]: report }));
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
