import type { Context } from './context.ts';

/** What the shell's completion offers for a value. */
export type Completion =
  | 'vps'
  | 'snapshot'
  | 'image'
  | 'network'
  | 'project'
  | 'pool'
  | 'task'
  | 'backup'
  | 'repository'
  | 'file'
  | 'command';

interface FlagBase {
  readonly summary: string;
  /** One letter, for `-f`. */
  readonly short?: string;
  readonly complete?: Completion;
}
/** A flag, as data: the parser, the help and the shell completions read it. */
export type Flag = FlagBase &
  (
    | { readonly kind: 'boolean' }
    | {
        readonly kind: 'text' | 'number' | 'size' | 'rate' | 'texts' | 'pairs';
        /** What stands for the value in the help. */
        readonly value: string;
        readonly default?: string;
      }
    | { readonly kind: 'choice'; readonly choices: readonly string[]; readonly default?: string }
  );
export type Flags = Readonly<Record<string, Flag>>;

export interface Argument {
  readonly label: string;
  readonly summary: string;
  /** `many`: one or more. `rest`: one or more, taken as they stand, flags included. */
  readonly arity?: 'one' | 'optional' | 'many' | 'rest';
  readonly complete?: Completion;
}
/** In the order in which they stand on the command line. */
export type Positionals = Readonly<Record<string, Argument>>;

type FlagValue<F extends Flag> = F extends { kind: 'boolean' }
  ? boolean
  : F extends { kind: 'number' | 'size' | 'rate' }
    ? number | undefined
    : F extends { kind: 'texts' }
      ? readonly string[]
      : F extends { kind: 'pairs' }
        ? Readonly<Record<string, string>>
        : F extends { kind: 'choice'; choices: readonly (infer C)[] }
          ? C | undefined
          : string | undefined;
type ArgumentValue<A extends Argument> = A extends { arity: 'many' | 'rest' }
  ? readonly string[]
  : A extends { arity: 'optional' }
    ? string | undefined
    : string;

/** What a command gets: parsed and syntactically right; what values mean is the daemon's to judge. */
export interface Input<P extends Positionals, F extends Flags> {
  readonly arguments: { readonly [K in keyof P]: ArgumentValue<P[K]> };
  readonly flags: { readonly [K in keyof F]: FlagValue<F[K]> };
}

export interface Example {
  readonly line: string;
  readonly does: string;
}

export interface Command<P extends Positionals = Positionals, F extends Flags = Flags> {
  /** One line, without a full stop. */
  readonly summary: string;
  /** Paragraphs, parted by empty lines. */
  readonly description: string;
  readonly arguments: P;
  readonly flags: F;
  readonly examples: readonly Example[];
  readonly seeAlso?: readonly string[];
  /** Why it has no JSON document to print: the end of a sentence. Absent: it has. */
  readonly withoutJson?: string;
  /** Answers the exit code; nothing means 0. */
  run(context: Context, input: Input<P, F>): Promise<number | undefined>;
}

/** Checks a command's table and infers the types of its input. */
export const defineCommand = <const P extends Positionals, const F extends Flags>(
  command: Command<P, F>,
): Command => command;

/** Flags that every command takes. */
export const GLOBAL_FLAGS = {
  json: { kind: 'boolean', summary: 'print one JSON document' },
  project: {
    kind: 'text',
    value: 'NAME',
    summary: 'work in this project',
    default: 'default',
    complete: 'project',
  },
  quiet: { kind: 'boolean', short: 'q', summary: 'print only what was asked for, and errors' },
  'no-wait': { kind: 'boolean', summary: 'do not wait for the task; print it' },
  help: { kind: 'boolean', short: 'h', summary: 'show this help' },
} as const satisfies Flags;
