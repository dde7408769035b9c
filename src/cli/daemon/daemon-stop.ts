import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/error-table.ts';
import { hostFacts } from '../../host/facts.ts';
import { run } from '../../host/run.ts';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { answering } from '../quickstart/daemon-service.ts';

const UNIT = 'mullion.service';
/** It first lets the steps end that are under way. */
const PATIENCE_MS = 60_000;

export const command = defineCommand({
  summary: 'stop the daemon; VPSs go on',
  description:
    'The daemon ends after the steps that are under way. VPSs never depend on it: they run on, and the next start finds them again.',
  arguments: {},
  flags: {},
  examples: [{ line: 'sudo mullion daemon stop', does: 'stop it and wait for its end' }],
  seeAlso: ['daemon start'],
  run: async (context) => {
    const running = await answering(context.client);
    if (running === undefined) {
      if (context.json) printJson(context, { stopped: false });
      else say(context, 'The daemon does not run');
      return 0;
    }
    if (!context.client.address.startsWith('/')) {
      throw new MullionError('invalid_request', 'The daemon is on another machine.', {
        remedy: 'Stop it there',
      });
    }
    if (await isUnit(running.pid)) await run(['systemctl', 'stop', UNIT]);
    else terminate(running.pid);
    await whenEnded(running.pid);
    if (context.json) printJson(context, { stopped: true, pid: running.pid });
    else say(context, 'The daemon is stopped; VPSs go on');
    return 0;
  },
});

/** Whether systemd looks after this process: it would start it again. */
async function isUnit(pid: number): Promise<boolean> {
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
