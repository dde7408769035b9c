import { MullionError } from '../../contract/errors.ts';
import type { GuestLine, LineProvider, LineRoom } from '../guest-agent/guest-line.ts';
import { LineStream } from './line-stream.ts';
import { FIRST_EXEC_LINE, guestDevice, LINE_COUNT, TERMINAL_ROOM } from './lines.ts';
import { linePipes, type MachinePaths } from './paths.ts';

/** What the guest reads is kept short of what stops its line, with room for what is not input; the host reads always. */
const ROOM: LineRoom = { toGuest: TERMINAL_ROOM - 340, piece: 3000, toHost: 32 * 1024 };

/** Channels for commands: serial lines, taken in turn, so that what a line's last user still writes finds nobody. */
export class GuestLines implements LineProvider {
  readonly #paths: MachinePaths;
  readonly #used = new Map<number, LineStream>();
  #next = FIRST_EXEC_LINE;

  constructor(paths: MachinePaths) {
    this.#paths = paths;
  }

  async openLine(): Promise<GuestLine> {
    if (this.#used.size >= LINE_COUNT - FIRST_EXEC_LINE) {
      throw new MullionError('conflict', 'Too many commands run in this VPS at once.', {
        remedy: 'Wait until one has ended',
      });
    }
    const line = this.#take();
    const stream = LineStream.open(linePipes(this.#paths, line));
    stream.on('error', () => undefined);
    this.#used.set(line, stream);
    const release = async (): Promise<void> => {
      stream.destroy();
      this.#used.delete(line);
    };
    return { guestPath: guestDevice(line), stream, room: ROOM, hangsUp: false, release };
  }

  /** Ends every command's connection: the guest has started anew, or is given up. */
  reset(): void {
    for (const stream of this.#used.values()) stream.destroy();
  }

  #take(): number {
    while (this.#used.has(this.#next)) this.#next = after(this.#next);
    const line = this.#next;
    this.#next = after(line);
    return line;
  }
}

const after = (line: number): number => (line + 1 < LINE_COUNT ? line + 1 : FIRST_EXEC_LINE);
