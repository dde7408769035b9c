const SMALLEST = 1024;
const NONE = Buffer.alloc(0);

/** Bytes gathered from pieces of any size. They cost their own number alone, however small the pieces were. */
export class GatheredBytes {
  #memory: Buffer = NONE;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(piece: Uint8Array): void {
    const needed = this.#length + piece.length;
    if (needed > this.#memory.length) {
      const grown = Buffer.alloc(Math.max(SMALLEST, needed, 2 * this.#memory.length));
      this.#memory.copy(grown, 0, 0, this.#length);
      this.#memory = grown;
    }
    this.#memory.set(piece, this.#length);
    this.#length = needed;
  }

  /** All of them; none are left. */
  take(): Buffer {
    const taken = this.#memory.subarray(0, this.#length);
    this.#memory = NONE;
    this.#length = 0;
    return taken;
  }
}

/** The first bytes of a stream that may be endless: `limit` at most, and then it is destroyed. */
export async function firstBytes(stream: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer> {
  const gathered = new GatheredBytes();
  for await (const piece of stream) {
    gathered.append(piece.subarray(0, limit - gathered.length));
    if (gathered.length >= limit) break;
  }
  return gathered.take();
}
