/** How a running VPS is brought to its end, by `stop` and by `restart`. */
export const STOP_FLAGS = {
  timeout: {
    kind: 'number',
    value: 'SECONDS',
    summary: 'wait this long before it is killed',
    default: '30',
  },
  force: { kind: 'boolean', short: 'f', summary: 'kill at once' },
} as const;

/** The body of the request; what is not said is left to the daemon's default. */
export const stopRequest = (flags: { readonly timeout?: number | undefined; readonly force: boolean }) => ({
  force: flags.force,
  ...(flags.timeout === undefined ? {} : { timeout: flags.timeout }),
});
