/** One simple command of a script: its words, where its output goes, and whether it is waited for. */
export interface Command {
  readonly words: readonly string[];
  /** A path of the guest, or undefined for standard output. */
  readonly toFile: string | undefined;
  readonly toStderr: boolean;
  readonly background: boolean;
}

/** A very small part of sh(1): words with quotes, `;`, `&`, `>` and `>&2`. No variables, no pipes, no control flow. */
export function parseScript(script: string): Command[] {
  const commands: Command[] = [];
  let words: string[] = [];
  const finish = (background: boolean): void => {
    if (words.length > 0) commands.push(toCommand(words, background));
    words = [];
  };
  for (const match of script.matchAll(/>&2|>|;|&&?|\n|((?:[^\s;&>'"]|'[^']*'|"[^"]*")+)/g)) {
    const [token, word] = match;
    if (word !== undefined) words.push(unquote(word));
    else if (token === '>' || token === '>&2') words.push(OPERATOR + token);
    else finish(token === '&');
  }
  finish(false);
  return commands;
}

const OPERATOR = '\0';

function toCommand(words: readonly string[], background: boolean): Command {
  const redirect = words.indexOf(`${OPERATOR}>`);
  return {
    words: words.filter((word, at) => !word.startsWith(OPERATOR) && (redirect < 0 || at !== redirect + 1)),
    toFile: redirect < 0 ? undefined : words[redirect + 1],
    toStderr: words.includes(`${OPERATOR}>&2`),
    background,
  };
}

const unquote = (word: string): string =>
  word.replaceAll(
    /'([^']*)'|"([^"]*)"/g,
    (_whole, single: string | undefined, double: string | undefined) => single ?? double ?? '',
  );
