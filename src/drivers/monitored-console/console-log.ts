const NEWLINE = 0x0a;
const SPACE = 0x20;
/** Longer lines than conmon writes are no log of it. */
const LINE_LIMIT = 256 * 1024;

/**
 * Turns the format k8s-file into what the console showed: `TIME STREAM TAG TEXT`, where the tag F stands for a text whose
 * newline was cut off and P for one that goes on (Kubernetes, "CRI logging").
 */
export class LogDecoder {
  #rest: Buffer = Buffer.alloc(0);

  push(piece: Buffer): Buffer {
    const text = this.#rest.length === 0 ? piece : Buffer.concat([this.#rest, piece]);
    const shown: Buffer[] = [];
    let at = 0;
    for (let end = text.indexOf(NEWLINE); end !== -1; end = text.indexOf(NEWLINE, at)) {
      const line = decodeLine(text.subarray(at, end));
      if (line !== undefined) shown.push(...line);
      at = end + 1;
    }
    this.#rest = text.length - at > LINE_LIMIT ? Buffer.alloc(0) : Buffer.from(text.subarray(at));
    return Buffer.concat(shown);
  }
}

const NEW_LINE = Buffer.from([NEWLINE]);

function decodeLine(line: Buffer): Buffer[] | undefined {
  const stream = line.indexOf(SPACE) + 1;
  const tag = line.indexOf(SPACE, stream) + 1;
  if (stream === 0 || tag === 0 || line[tag + 1] !== SPACE) return undefined;
  const content = line.subarray(tag + 2);
  return line[tag] === 0x46 ? [content, NEW_LINE] : [content];
}

/** The end of a text from its last `count` lines on; a last line without a newline counts. */
export function lastLines(text: Buffer, count: number): Buffer {
  if (count <= 0) return Buffer.alloc(0);
  let position = text.length;
  for (let left = text.at(-1) === NEWLINE ? count + 1 : count; left > 0; left -= 1) {
    position = position === 0 ? -1 : text.lastIndexOf(NEWLINE, position - 1);
    if (position === -1) return text;
  }
  return text.subarray(position + 1);
}
