import type { ExecRequest } from '../../contract/streams.ts';
import { guestCommand } from './exec-request.ts';
import { FRAME_HEADER, FRAME_LIMIT } from './runner-script.ts';

export interface Frame {
  readonly kind: string;
  readonly content: Buffer;
}

export function encodeFrame(kind: string, content: Uint8Array = Buffer.alloc(0)): Buffer {
  const header = Buffer.from(`${kind}\0\0`, 'latin1');
  header.writeUInt16BE(content.length, 1);
  return Buffer.concat([header, content]);
}

/** A number of 32 bits, as the runner counts. */
export function encodeCount(count: number): Buffer {
  const content = Buffer.alloc(4);
  content.writeUInt32BE(count);
  return content;
}

/** Takes a stream of bytes apart into frames, whose content is a part of what was pushed. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0);

  /** @throws RangeError when a frame is longer than any that the runner makes */
  push(chunk: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    while (this.#rest.length >= FRAME_HEADER) {
      const length = this.#rest.readUInt16BE(1);
      if (length > FRAME_LIMIT) throw new RangeError(`a frame of ${length} bytes`);
      const end = FRAME_HEADER + length;
      if (this.#rest.length < end) break;
      const kind = String.fromCharCode(this.#rest[0] ?? 0);
      frames.push({ kind, content: this.#rest.subarray(FRAME_HEADER, end) });
      this.#rest = this.#rest.subarray(end);
    }
    return frames;
  }
}

/** What the runner is told to run. `environment` is the VPS's own; the request's comes after it. */
export function encodeRequest(request: ExecRequest, environment: Readonly<Record<string, string>>): Buffer {
  const { user, group, folder, window, variables, argv } = guestCommand(request, environment);
  const size = [window?.rows ?? '', window?.columns ?? ''].map(String);
  const fields = [user, group, folder, ...size, String(variables.length), ...variables, ...argv];
  const content = Buffer.from(fields.join('\0'));
  return Buffer.concat([encodeCount(content.length), content]);
}
