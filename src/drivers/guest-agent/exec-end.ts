import { MullionError } from '../../contract/errors.ts';

/** How long output may still come after the command's end, when something in the guest keeps its streams open. */
export const LINGER_MS = 2_000;
/** Exit code of a command that was closed: 128 + SIGKILL. */
export const KILLED = 137;

export const lost = (why: string): MullionError =>
  new MullionError('guest_unresponsive', `The guest did not run the command: ${why}.`);
