/** open(2); not in node:fs. */
export const O_PATH = 0o10000000;
