/**
 * Text that someone else chose, made safe for a terminal: no escape sequences (ECMA-48), no control characters, no
 * marks that reverse the direction of writing. What is taken out is shown as a replacement character.
 */
export function sanitizeLine(text: string): string {
  return text.replace(UNSAFE, '\ufffd');
}

/** Text of many lines, made safe; of escape sequences only colours stay, and only when asked for. */
export function sanitizeText(text: string, keepColour = false): string {
  return text
    .replace(ESCAPE, (sequence) => (keepColour && COLOUR.test(sequence) ? sequence : ''))
    .replace(/\r+\n/g, '\n')
    .replace(/\r/g, '\n')
    .replace(UNSAFE_IN_TEXT, '');
}

/** Makes a stream of text safe piece by piece; a sequence cut by the end of a piece waits for the next. */
export function createTextSanitizer(keepColour: boolean): (piece: string) => string {
  let rest = '';
  return (piece) => {
    const text = rest + piece;
    const open = OPEN_END.exec(text);
    rest = open === null || open[0].length > LONGEST_SEQUENCE ? '' : open[0];
    return sanitizeText(rest === '' ? text : text.slice(0, -rest.length), keepColour);
  };
}

const LONGEST_SEQUENCE = 4096;
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
const UNSAFE_IN_TEXT =
  /(?!\x1b\[[0-9;:]*m)[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const COLOUR = /^\x1b\[[0-9;:]*m$/;
/** Control sequences (CSI), strings (OSC, DCS, APC, PM, SOS) and other escapes. */
const ESCAPE =
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?|\x1b[ -/]*[0-Z\\^-~]/g;
/** A sequence, or a carriage return, that the text ends in the middle of. */
const OPEN_END =
  /(?:(?:\x1b\[|\x9b)[0-?]*[ -/]*|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*\x1b?|\x1b[ -/]*|\r)$/;
