/** Serial lines of a machine, ttyS0 and on (Linux, arch/um/drivers/ssl.c: at most 64). */
export const CONSOLE_LINE = 0;
export const AGENT_LINE = 1;
/** The first of those that carry commands, three or, with a terminal, two each. */
export const FIRST_EXEC_LINE = 2;
export const LINE_COUNT = 38;

export const guestDevice = (line: number): string => `/dev/ttyS${line}`;

/** Those that are pipes; the console is the process's own terminal. */
export const PIPE_LINES: readonly number[] = Array.from(
  { length: LINE_COUNT - AGENT_LINE },
  (_, index) => AGENT_LINE + index,
);
