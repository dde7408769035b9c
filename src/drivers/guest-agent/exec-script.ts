import { randomBytes } from 'node:crypto';
import type { ExecRequest } from '../../contract/streams.ts';
import { guestCommand } from './exec-request.ts';

/**
 * What runs in a guest without Perl for one exec. The scripts are fixed; everything of the request travels as arguments.
 * They use only POSIX sh and Debian's essential packages (util-linux: setsid, setpriv; bsdutils: script; coreutils: cat, env).
 *
 * The guest tells the host what happens by control messages on the output channel that carries errors, each on its own
 * line and begun by the exec's secret token: `TOKEN pid N [TTY]`, `TOKEN unknown user`, `TOKEN end out|err`,
 * `TOKEN exit CODE`, and `TOKEN open`, which waits until the host's end of the channel is seen, so that standard input is
 * not taken for ended.
 */
export const newToken = (): string => randomBytes(16).toString('hex');

/**
 * Opens a channel as the descriptor 7 (to read), 8 or 9 (to write). Its file, a device or a FIFO, is waited for; its path may
 * be a pattern; Linux makes that file a moment before it can be opened (drivers/char/virtio_console.c, add_port), so that an
 * open that fails is tried again. Ends with 125 when it never comes.
 */
const CHANNELS = `
channel() {
  n=0
  while :; do
    for r in $2; do
      [ -e "$r" ] || continue
      case $1 in
        7) command exec 7<"$r" ;;
        8) command exec 8>"$r" ;;
        9) command exec 9>"$r" ;;
      esac 2>/dev/null && return
    done
    n=$((n + 1)); [ "$n" -gt 200 ] && exit 125
    sleep 0.05
  done
}`;

/**
 * Arguments: token in out err, then the command's launcher. Relays stand between the command and its channels, so that
 * it has ordinary pipes: a channel opens once only, and its file belongs to root.
 */
const PLAIN = `${CHANNELS}
t=$1
channel 7 "$2"
channel 8 "$3"
channel 9 "$4"
shift 4
printf '%s open\\n' "$t" >&9
{
  cat <&7 6>&- 7<&- 8>&- 9>&- | {
    setsid /bin/sh -c "$@" 2>&6 6>&- 7<&- 8>&-
    printf '%s exit %d\\n' "$t" "$?" >&9
  } | { cat >&8; printf '%s end out\\n' "$t" >&8; } >/dev/null 6>&- 7<&- 9>&-
} 6>&1 | { cat >&9; printf '%s end err\\n' "$t" >&9; } >/dev/null 7<&- 8>&-`;

/** Arguments: token in out command-line. script(1) makes the terminal and passes the exit code on. */
const TERMINAL = `${CHANNELS}
t=$1
channel 7 "$2"
channel 9 "$3"
printf '%s open\\n' "$t" >&9
cat <&7 7<&- 9>&- | {
  SHELL=/bin/sh script -qefc "$4" /dev/null 7<&- >&9 2>&9
  printf '%s exit %d\\n' "$t" "$?" >&9
}`;

/**
 * Arguments: token rows columns user group, then environment and command for env(1). Runs as the command's process,
 * which it becomes: its pid is the command's, its session and process group too.
 */
const LAUNCH = `
t=$1 rows=$2 columns=$3 u=$4 g=$5
shift 5
name=root uid=0 gid=0 home=/root groups=--init-groups
if [ -n "$u" ]; then
  name=
  while IFS=: read -r a b c e f h s; do
    if [ "$a" = "$u" ] || [ "$c" = "$u" ]; then name=$a uid=$c gid=$e home=$h; break; fi
  done </etc/passwd
  if [ -z "$name" ]; then
    case $u in
      *[!0-9]*) printf '%s unknown user\\n' "$t" >&9; exit 126 ;;
    esac
    name=$u uid=$u gid=$u home=/ groups=--clear-groups
  fi
fi
[ -d "$home" ] || home=/
tty=
if [ -n "$rows" ]; then
  stty rows "$rows" cols "$columns"
  tty=$(tty)
fi
printf '%s pid %s %s\\n' "$t" "$$" "$tty" >&9
exec 9>&-
set -- env -i "HOME=$home" "USER=$name" "LOGNAME=$name" "$@"
[ "$uid" = 0 ] && [ -z "$g" ] || set -- setpriv --reuid "$uid" --regid "\${g:-$gid}" "$groups" "$@"
exec "$@"`;

/** Runs under env -i as the user; the first argument is the directory, empty for the home directory. */
const ENTER = `d=$1; shift; cd -- "\${d:-$HOME}" || exit 126; exec "$@"`;

/** One word of a shell's command line (POSIX, Shell Command Language, section 2.2.2). */
export const quoteWord = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

export interface ExecChannels {
  /** Device files in the guest, or patterns for them. */
  readonly stdin: string;
  readonly stdout: string;
  /** Absent with a terminal. */
  readonly stderr?: string | undefined;
}

/** The argument array that runs `request` in the guest. `environment` is the VPS's own; the request's comes after it. */
export function execArgv(
  request: ExecRequest,
  token: string,
  channels: ExecChannels,
  environment: Readonly<Record<string, string>>,
): readonly [string, ...string[]] {
  const { user, group, folder, window, variables, argv } = guestCommand(request, environment);
  const launch = [
    LAUNCH,
    'mullion',
    token,
    String(window?.rows ?? ''),
    String(window?.columns ?? ''),
    user,
    group,
    ...variables,
    '/bin/sh',
    '-c',
    ENTER,
    'mullion',
    folder,
    ...argv,
  ];
  if (channels.stderr !== undefined) {
    return [
      '/bin/sh',
      '-c',
      PLAIN,
      'mullion',
      token,
      channels.stdin,
      channels.stdout,
      channels.stderr,
      ...launch,
    ];
  }
  const commandLine = ['exec', '/bin/sh', '-c', ...launch].map((word, index) =>
    index === 0 ? word : quoteWord(word),
  );
  return [
    '/bin/sh',
    '-c',
    TERMINAL,
    'mullion',
    token,
    channels.stdin,
    channels.stdout,
    commandLine.join(' '),
  ];
}

/** Sends a signal to the process group of an exec's command. */
export const signalArgv = (signal: string, pid: number): readonly [string, ...string[]] => [
  '/bin/sh',
  '-c',
  'kill -s "$1" -- "-$2"',
  'mullion',
  signal.replace(/^SIG/, ''),
  String(pid),
];

/**
 * Ends a runner and the command that it has started, which leads a group of its own (proc_pid_stat(5): after the name come the
 * state, the parent and the group).
 */
const KILL_RUNNER = `set -f
for file in $(set +f; echo /proc/[0-9]*/stat); do
  { read -r line <"$file"; } 2>/dev/null || continue
  pid=\${file#/proc/} pid=\${pid%/stat} runner=$1
  set -- \${line##*) }
  if [ "$2" = "$runner" ] && [ "$3" = "$pid" ]; then kill -s KILL -- "-$pid"; fi
  set -- "$runner"
done
kill -s KILL "$1"`;
export const killRunnerArgv = (pid: number): readonly [string, ...string[]] => [
  '/bin/sh',
  '-c',
  KILL_RUNNER,
  'mullion',
  String(pid),
];

export const resizeArgv = (tty: string, rows: number, columns: number): readonly [string, ...string[]] => [
  '/bin/sh',
  '-c',
  'exec stty rows "$2" cols "$3" <"$1"',
  'mullion',
  tty,
  String(rows),
  String(columns),
];
