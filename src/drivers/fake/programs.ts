import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { KIB } from '../../contract/sizes.ts';
import type { Machine, MachineEnd } from '../driver.ts';
import { hostPath } from './guest-files.ts';
import { type Command, parseScript } from './shell-words.ts';
import { readState } from './state.ts';

/** What a program of the fake guest sees of its surroundings. */
export interface Surroundings {
  readonly machine: Machine;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly uid: string;
  readonly tty: boolean;
  /** Rows and columns, as they are now. */
  size(): { readonly rows: number; readonly columns: number };
  stdout(data: string | Buffer): void;
  stderr(data: string | Buffer): void;
  console(text: string): void;
  /** Ends the whole guest. */
  end(end: MachineEnd): void;
  /** The next line of standard input, or undefined at its end. */
  line(): Promise<string | undefined>;
  input(): AsyncIterable<Buffer>;
  /** Settles when the command is ended from outside. */
  readonly ended: Promise<void>;
}

type Program = (words: readonly string[], around: Surroundings) => Promise<number> | number;

const FOREVER_S = 1_000_000;

const PROGRAMS: Readonly<Record<string, Program>> = {
  true: () => 0,
  false: () => 1,
  sync: () => 0,
  wait: () => 0,
  echo: (words, { stdout }) => say(stdout, `${words.join(' ')}\n`),
  printf: ([text = ''], { stdout }) => say(stdout, text.replaceAll('\\n', '\n')),
  pwd: (_words, { stdout, cwd }) => say(stdout, `${cwd}\n`),
  id: (words, { stdout, uid }) => say(stdout, words[0] === '-u' ? `${uid}\n` : `uid=${uid} gid=${uid}\n`),
  poweroff: (_words, { end }) => {
    end({ kind: 'poweroff', reason: 'the guest switched itself off' });
    return 0;
  },
  reboot: (_words, { end }) => {
    end({ kind: 'reboot', reason: 'the guest restarted itself' });
    return 0;
  },
  crash: (_words, { end, console }) => {
    console('fake: kernel panic, as wanted\n');
    end({ kind: 'died', reason: 'the fake was told to die' });
    return 0;
  },
  hostname: (_words, { stdout, machine }) => say(stdout, `${machine.name}\n`),
  env: (_words, { stdout, env }) => {
    for (const [key, value] of Object.entries(env)) stdout(`${key}=${value}\n`);
    return 0;
  },
  tty: (_words, { stdout, tty }) => {
    stdout(tty ? '/dev/pts/0\n' : 'not a tty\n');
    return tty ? 0 : 1;
  },
  stty: (_words, { stdout, size }) => say(stdout, `${size().rows} ${size().columns}\n`),
  read: async (_words, { line }) => ((await line()) === undefined ? 1 : 0),
  sleep: async ([seconds = '0'], { ended }) => {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.min(Number(seconds), FOREVER_S) * 1000);
    });
    await Promise.race([over, ended]);
    clearTimeout(timer);
    return 0;
  },
  cat: async (words, around) => {
    if (words.length === 0) {
      for await (const part of around.input()) around.stdout(part);
      return 0;
    }
    let code = 0;
    for (const path of words) {
      const content = readGuestFile(around.machine, path);
      if (content === undefined) {
        around.stderr(`cat: ${path}: No such file or directory\n`);
        code = 1;
      } else around.stdout(content);
    }
    return code;
  },
  exec: (words, around) => runProgram(words, around),
  sh: ([, script = ''], around) => runScript(parseScript(script), around),
};

export function runProgram(argv: readonly string[], around: Surroundings): Promise<number> | number {
  const [name = '', ...words] = argv;
  const program = Object.hasOwn(PROGRAMS, name) ? PROGRAMS[name] : undefined;
  if (program !== undefined) return program(words, around);
  around.stderr(`${name}: not found\n`);
  return 127;
}

async function runScript(commands: readonly Command[], around: Surroundings): Promise<number> {
  let code = 0;
  const behind: (Promise<number> | number)[] = [];
  for (const { words, toFile, toStderr, background } of commands) {
    if (words[0] === 'exit') return Number(words[1] ?? code);
    const stdout = toStderr ? around.stderr : toFile === undefined ? around.stdout : intoFile(around, toFile);
    const answer = runProgram(words, { ...around, stdout });
    if (background) behind.push(answer);
    else if (words[0] === 'wait') await Promise.all(behind);
    else code = await answer;
  }
  return code;
}

function intoFile({ machine, console }: Surroundings, path: string): (data: string | Buffer) => void {
  return (data) => {
    if (path === '/dev/console') console(data.toString());
    else appendFileSync(hostPath(machine, path), data);
  };
}

function readGuestFile(machine: Machine, path: string): Buffer | undefined {
  if (path === '/proc/1/environ') {
    const pairs = Object.entries(machine.env).map(([key, value]) => `${key}=${value}\0`);
    return Buffer.from(pairs.join(''));
  }
  if (path === '/proc/sys/kernel/random/boot_id') {
    const state = readState(machine);
    return state === undefined ? undefined : Buffer.from(`${state.bootId}\n`);
  }
  if (path === '/proc/meminfo') {
    const { memory } = readState(machine) ?? { memory: null };
    return Buffer.from(`MemTotal: ${(memory ?? machine.limits.memory) / KIB} kB\n`);
  }
  const host = hostPath(machine, path);
  return statSync(host, { throwIfNoEntry: false })?.isFile() === true ? readFileSync(host) : undefined;
}

function say(out: (text: string) => void, text: string): number {
  out(text);
  return 0;
}
