import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/error-table.ts';
import { hostFacts } from '../../host/facts.ts';
import type { Runner } from '../../host/run.ts';

const UNIT = 'mullion.service';
/** It first lets the steps end that are under way. */
const PATIENCE_MS = 60_000;

/** Ends the daemon with this process id and waits until it is gone; VPSs go on. @throws forbidden, timeout */
export async function endDaemon(run: Runner, pid: number): Promise<void> {
  if (await isUnit(run, pid)) await run(['systemctl', 'stop', UNIT]);
  else terminate(pid);
  await whenEnded(pid);
}

/** Whether systemd looks after this process: it would start it again. */
async function isUnit(run: Runner, pid: number): Promise<boolean> {
  if (hostFacts().initSystem !== 'systemd') return false;
  const { code, stdout } = await run(['systemctl', 'show', '--property=MainPID', '--value', UNIT], {
    okCodes: [0, 1, 4],
  });
  return code === 0 && Number(stdout.trim()) === pid;
}

function terminate(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (cause) {
    if (isGone(cause)) return;
    throw new MullionError('forbidden', `You may not end the daemon's process ${pid}.`, {
      remedy: 'Use sudo',
      cause,
    });
  }
}

async function whenEnded(pid: number): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch (cause) {
      // Another user's process may be looked at, but not signalled: then it is still there.
      if (isGone(cause)) return;
    }
    if (performance.now() > deadline) {
      throw new MullionError('timeout', `The daemon did not end within ${PATIENCE_MS / 1000} s.`, {
        remedy: 'See what it waits for in its log, or end it with: kill -9; VPSs go on',
        details: { pid },
      });
    }
    await sleep(20);
  }
}

const isGone = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === 'ESRCH';
