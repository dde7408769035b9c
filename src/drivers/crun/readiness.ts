import { firstBytes } from '../../core/gathered-bytes.ts';
import type { ExecSession } from '../driver.ts';

export const ASK_STATE = ['systemctl', 'is-system-running'] as const;
const ANSWER_MS = 8_000;
/** Bytes of the longest state and its line's end, and room. */
const LONGEST_STATE = 64;

/** Whether systemd says that it is up. The program that answers is the guest's: it may talk without end, or never end. */
export async function saysReady(session: ExecSession): Promise<boolean> {
  session.stdin.end();
  session.stderr?.resume();
  const timer = setTimeout(() => session.close(), ANSWER_MS).unref();
  try {
    const answer = await firstBytes(session.stdout, LONGEST_STATE);
    return /^(running|degraded)$/m.test(answer.toString('latin1'));
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
    session.close();
  }
}
