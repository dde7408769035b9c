import { writeFile } from 'node:fs/promises';
import { Duplex } from 'node:stream';
import { MullionError } from '../../contract/errors.ts';
import type { Window } from '../../contract/streams.ts';
import { type ConsoleInput, openConsoleInput } from '../../host/oci/console-input.ts';
import type { ConsoleStream } from '../driver.ts';
import { endOfLog, tailLog } from './log-tail.ts';

/** What conmon makes, and the log that it writes. */
export interface MonitorFiles {
  readonly log: string;
  readonly attach: string;
  readonly control: string;
}

/**
 * A live console: what is typed goes to conmon, what is shown comes from the log that conmon writes at once. It begins
 * with what is shown from now on: old output could hold questions that the terminal would answer a second time.
 */
export async function openConsole(
  files: MonitorFiles,
  window: Window | undefined,
  isLive: () => boolean,
): Promise<ConsoleStream> {
  // Before anything is typed, so that its echo is shown.
  const from = await endOfLog(files.log);
  const input = connect(files);
  if (window !== undefined) await resizeConsole(files, window);
  const controller = new AbortController();
  const shown = tailLog(files.log, { follow: true, from, signal: controller.signal, isLive });
  const stream = new Duplex({
    allowHalfOpen: true,
    read() {
      shown.next().then(
        ({ done, value }) => this.push(done === true ? null : value),
        (failure: unknown) => this.destroy(failure instanceof Error ? failure : new Error(String(failure))),
      );
    },
    write(data: Buffer, _encoding, done) {
      input.write(data).then(
        () => done(),
        (failure: unknown) => done(failure instanceof Error ? failure : new Error(String(failure))),
      );
    },
    destroy(failure, done) {
      controller.abort();
      input.close();
      done(failure);
    },
  });
  // A console that is gone has no size, and a monitor that does not read is no reason to fail.
  const resize = (size: Window): void => void resizeConsole(files, size).catch(() => undefined);
  return Object.assign(stream, { resize });
}

function connect(files: MonitorFiles): ConsoleInput {
  try {
    return openConsoleInput(files.attach);
  } catch (cause) {
    throw new MullionError('wrong_state', 'The console cannot be reached: the VPS does not run.', {
      remedy: 'Start it, or read what it showed with: mullion logs NAME',
      cause,
    });
  }
}

/** conmon reads lines `1 ROWS COLUMNS` from its control pipe (conmon, src/ctrl.c). */
export async function resizeConsole(files: MonitorFiles, window: Window): Promise<void> {
  await writeFile(files.control, `1 ${window.rows} ${window.columns}\n`, { flag: 'r+' });
}
