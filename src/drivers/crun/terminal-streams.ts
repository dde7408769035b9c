import { closeSync } from 'node:fs';
import { type Readable, Writable } from 'node:stream';
import type { Window } from '../../contract/streams.ts';
import { spawnCommand } from '../../host/run.ts';
import { openTerminal } from '../../host/terminals.ts';

/** The terminal's character for the end of input (termios(3), VEOF). */
const END_OF_INPUT = Buffer.from([4]);
const MASTER_FD = 3;

export interface TerminalStreams {
  readonly slavePath: string;
  readonly input: Writable;
  readonly output: Readable;
  /** Settles when all that was shown has been read or thrown away. */
  ended(): Promise<void>;
  close(): void;
}

/**
 * A new terminal with streams. Node writes to a terminal's master by calls that block the whole process when the guest
 * does not read, so socat(1) stands between.
 */
export function openTerminalSession(window: Window): TerminalStreams {
  const { master, slavePath } = openTerminal(window);
  let open = true;
  const relay = spawnCommand(['socat', '-', `FD:${MASTER_FD}`], {
    stdio: ['pipe', 'pipe', 'ignore', master],
  });
  const { stdin, stdout } = relay;
  if (stdin === null || stdout === null) throw new TypeError('the relay has no streams');
  stdin.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => {
    relay.once('error', () => resolve());
    relay.once('close', () => resolve());
  });
  const release = (): void => {
    if (open) closeSync(master);
    open = false;
  };
  closed.finally(release).catch(() => undefined);
  const input = new Writable({
    write: (data: Buffer, _encoding, done) => {
      if (stdin.write(data)) done();
      else stdin.once('drain', () => done());
    },
    // The relay would end with its input, and with it what is still to be shown.
    final: (done) => {
      stdin.write(END_OF_INPUT);
      done();
    },
    destroy: (failure, done) => {
      stdin.destroy();
      done(failure);
    },
  });
  stdin.on('close', () => input.destroy());
  return {
    slavePath,
    input,
    output: stdout,
    ended: () => {
      // Only this copy of the master would keep the relay waiting once the command has ended.
      release();
      return closed;
    },
    close: () => {
      release();
      relay.kill('SIGKILL');
    },
  };
}
