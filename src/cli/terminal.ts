import { plainStyle, type Style, speaksUnicode, styleFor } from './output/style.ts';

type Environment = Readonly<Record<string, string | undefined>>;

interface TerminalStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/** Standard output and error, with what is known of the terminal behind each. */
export interface Terminal {
  readonly style: Style;
  readonly errorStyle: Style;
  readonly unicode: boolean;
  /** Columns of the terminal; 80 when there is none to ask, and without limit in a pipe. */
  readonly width: number;
  readonly isTerminal: boolean;
  /** Whether progress can be drawn: standard error is a terminal that can move its cursor. */
  readonly canRedraw: boolean;
  readonly errorSize: () => { readonly columns: number; readonly rows: number };
  print(line: string): void;
  printAll(lines: readonly string[]): void;
  /** A line on standard error. */
  note(line: string): void;
  readonly errorStream: TerminalStream;
}

const WITHOUT_LIMIT = 10_000;

export function openTerminal(
  output: TerminalStream,
  errors: TerminalStream,
  environment: Environment,
  json: boolean,
): Terminal {
  const isTerminal = output.isTTY === true;
  return {
    style: json ? plainStyle : styleFor(isTerminal, environment),
    errorStyle: styleFor(errors.isTTY === true, environment),
    unicode: speaksUnicode(environment),
    width: isTerminal ? (output.columns ?? 80) : WITHOUT_LIMIT,
    isTerminal,
    canRedraw: errors.isTTY === true && environment.TERM !== 'dumb',
    errorSize: () => ({ columns: errors.columns ?? 80, rows: errors.rows ?? 24 }),
    print: (line) => void output.write(`${line}\n`),
    printAll: (lines) => {
      if (lines.length > 0) output.write(`${lines.join('\n')}\n`);
    },
    note: (line) => void errors.write(`${line}\n`),
    errorStream: errors,
  };
}
