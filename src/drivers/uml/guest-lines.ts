import { MullionError } from '../../contract/errors.ts';
import { FramedInput } from '../guest-agent/framed-input.ts';
import type { GuestPort, PortProvider } from '../guest-agent/guest-exec.ts';
import { LineStream } from './line-stream.ts';
import { FIRST_EXEC_LINE, guestDevice, LINE_COUNT } from './lines.ts';
import { linePipes, type MachinePaths } from './paths.ts';

/** Channels for commands: serial lines, taken in turn, so that what a line's last user still writes finds nobody. */
export class GuestLines implements PortProvider {
  readonly #paths: MachinePaths;
  readonly #used = new Map<number, LineStream>();
  #next = FIRST_EXEC_LINE;

  constructor(paths: MachinePaths) {
    this.#paths = paths;
  }

  async openPorts(count: number): Promise<{ ports: GuestPort[]; release(): Promise<void> }> {
    if (this.#used.size + count > LINE_COUNT - FIRST_EXEC_LINE) {
      throw new MullionError('conflict', 'Too many commands run in this VPS at once.', {
        remedy: 'Wait until one has ended',
      });
    }
    const lines: number[] = [];
    const release = async (): Promise<void> => {
      for (const line of lines) {
        this.#used.get(line)?.destroy();
        this.#used.delete(line);
      }
    };
    try {
      const ports = Array.from({ length: count }, (_, index): GuestPort => {
        const line = this.#take();
        const stream = LineStream.open(linePipes(this.#paths, line));
        this.#used.set(line, stream);
        lines.push(line);
        const guestPath = guestDevice(line);
        if (index > 0) return { guestPath, stream };
        const input = new FramedInput(stream);
        return { guestPath, stream: input, taken: () => input.taken() };
      });
      return { ports, release };
    } catch (failure) {
      await release();
      throw failure;
    }
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
