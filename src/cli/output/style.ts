/** Select Graphic Rendition parameters (ECMA-48 section 8.3.117). */
const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, cyan: 36 } as const;
export type Tone = keyof typeof CODES;

/** Colours a text, or leaves it as it is where colour is off. */
export type Style = (tone: Tone | undefined, text: string) => string;

export const plainStyle: Style = (_tone, text) => text;
export const colourStyle: Style = (tone, text) =>
  tone === undefined ? text : `\x1b[${CODES[tone]}m${text}\x1b[0m`;

type Environment = Readonly<Record<string, string | undefined>>;

/** Colour only on a terminal that is not dumb, and not when NO_COLOR is set (no-color.org). */
export const styleFor = (isTerminal: boolean, environment: Environment): Style =>
  isTerminal && !environment.NO_COLOR && environment.TERM !== 'dumb' ? colourStyle : plainStyle;

/** Whether the locale's characters are Unicode (locale(7): LC_ALL, then LC_CTYPE, then LANG). */
export const speaksUnicode = (environment: Environment): boolean =>
  /utf-?8/i.test(environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '');
