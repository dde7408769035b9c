import { quoteWord } from './exec-script.ts';

/** Characters that one request may grow by around its content. */
const AROUND = 500;

/** Writes what it is given to the end of a file that root alone reads. */
const APPEND = 'umask 077; printf %s "$2" >>"$1"';

export interface LongCommand {
  /** To be run first, one after the other. */
  readonly before: readonly (readonly [string, ...string[]])[];
  readonly argv: readonly [string, ...string[]];
}

/**
 * A command that is too long for one request of an agent, by way of a script that is written to `file` of the guest piece
 * by piece, and removes itself.
 */
export function longCommand(argv: readonly string[], file: string, longestRequest: number): LongCommand {
  const script = `rm -f -- ${quoteWord(file)}\nexec ${argv.map(quoteWord).join(' ')}\n`;
  return { before: writeFileArgv(file, script, longestRequest), argv: ['/bin/sh', file] };
}

/** Commands that write a new file of the guest, one after the other. */
export function writeFileArgv(
  file: string,
  content: string,
  longestRequest: number,
): (readonly [string, ...string[]])[] {
  return piecesOf(content, longestRequest - AROUND).map((piece) => [
    '/bin/sh',
    '-c',
    APPEND,
    'mullion',
    file,
    piece,
  ]);
}

/** Pieces that are at most so many bytes as JSON; never half a character. */
function piecesOf(text: string, longest: number): string[] {
  const pieces: string[] = [];
  let piece = '';
  let length = 0;
  for (const character of text) {
    const more = Buffer.byteLength(JSON.stringify(character)) - 2;
    if (length + more > longest) {
      pieces.push(piece);
      piece = '';
      length = 0;
    }
    piece += character;
    length += more;
  }
  return piece === '' ? pieces : [...pieces, piece];
}
