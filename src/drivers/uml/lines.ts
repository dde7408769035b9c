/** Serial lines of a machine, ttyS0 and on (Linux, arch/um/drivers/ssl.c: at most 64). */
export const CONSOLE_LINE = 0;
export const AGENT_LINE = 1;
/** The first of those that carry commands, one each. */
export const FIRST_EXEC_LINE = 2;
export const LINE_COUNT = 38;

/**
 * What fits into a terminal's buffer (Linux, drivers/tty/n_tty.c: 4096 bytes, of which the last 128 stop the line).
 * User-Mode Linux does not hear again from a line that was stopped (arch/um/drivers/line.c, line_throttle: the interrupt
 * of its descriptor is taken away and never comes back).
 */
export const TERMINAL_ROOM = 3840;

export const guestDevice = (line: number): string => `/dev/ttyS${line}`;

/** Those that are pipes; the console is the process's own terminal. */
export const PIPE_LINES: readonly number[] = Array.from(
  { length: LINE_COUNT - AGENT_LINE },
  (_, index) => AGENT_LINE + index,
);
