import { createHash } from 'node:crypto';
import type { ArchiveEntry } from '../archive/entry.ts';
import { textFile } from '../provision/text-file.ts';
import { RUNNER } from './runner-script.ts';

const DIGEST = createHash('sha256').update(RUNNER).digest('hex').slice(0, 12);
/** Where root alone writes, until the guest starts anew; another version has another name. */
export const RUNNER_FILE = `/run/mullion-runner-${DIGEST}.pl`;

/** Spares a guest whose agent takes short requests only the writing of it. */
export const runnerFile = (): ArchiveEntry => textFile(RUNNER_FILE.slice(1), RUNNER, 0o600);
