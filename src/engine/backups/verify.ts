import { MullionError } from '../../contract/errors.ts';
import type { Task } from '../../contract/tasks.ts';
import { firstBytes } from '../../core/gathered-bytes.ts';
import { bounded, pause } from '../bounded.ts';
import { type Context, requireDriver } from '../context.ts';
import { featuresOf } from '../features.ts';
import { machineOf } from '../machine.ts';
import { forget } from '../operate.ts';
import type { VpsRecord } from '../records.ts';
import { reach } from '../run-plan.ts';
import type { TaskRun } from '../task-run.ts';
import type { Techniques } from '../techniques.ts';
import { type FoundBackup, readDefinition, viewBackup } from './found.ts';
import { bringBack } from './restore.ts';

const ASK_MS = 1_000;
const SHUTDOWN_MS = 120_000;
const PROOF = 'mullion-verify';
/** Bytes that are heard of a guest that says something else. */
const LONGEST_ANSWER = 1024;

/**
 * Restores a backup beside everything, compares what was written with the repository, boots it without network, has it
 * run a command, shuts it down, checks its disks, and deletes it. A guest without an agent is only started: what it does
 * cannot be asked, and its disks are its own.
 */
export async function startVerify(
  context: Context,
  techniques: Techniques,
  project: string,
  found: FoundBackup,
): Promise<Task> {
  const definition = await readDefinition(context, found);
  const { id: backup, vps } = viewBackup(found);
  const target = {
    kind: 'backup.verify',
    name: `verify-${backup}`,
    isolated: true,
    compare: true,
  } as const;
  return bringBack(context, techniques, project, found, definition, target, async (record, run) => {
    try {
      await prove(context, record.id, run);
    } catch (failure) {
      context.events.emit('backup.unfit', project, vps, { backup, task: run.id });
      throw failure;
    }
    await reach(context, record.id, 'absent', run);
    const last = context.state.vps.get(record.id);
    if (last !== undefined) await forget(context, last, run, undefined);
    context.events.emit('backup.verified', project, vps, { backup, task: run.id });
  });
}

async function prove(context: Context, id: string, run: TaskRun): Promise<void> {
  await reach(context, id, 'running', run);
  if (!featuresOf(context, present(context, id)).exec) return reach(context, id, 'stopped', run);
  await run.part('wait until it answers', () => answer(context, id, run.signal));
  context.state.vps.set({ ...present(context, id), shutdownMs: SHUTDOWN_MS });
  await reach(context, id, 'stopped', run);
  await run.part('check its disks', async () => {
    await context.deps.disks.check(context.deps.pool.volumePath(id), run.signal);
  });
}

/** It runs a command and says what it was told to. */
async function answer(context: Context, id: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + context.timings.health;
  for (;;) {
    signal.throwIfAborted();
    const said = await ask(context, present(context, id)).catch(() => undefined);
    if (said === PROOF) return;
    if (performance.now() > deadline) {
      throw new MullionError('guest_unresponsive', 'The restored VPS booted but runs no command.', {
        remedy: 'Restore it under a new name and look at its log: mullion backup restore ID NEWNAME',
      });
    }
    await pause(ASK_MS, signal);
  }
}

async function ask(context: Context, record: VpsRecord): Promise<string | undefined> {
  const driver = requireDriver(context, record.technique);
  const { runtime } = record;
  if (runtime === null || driver.exec === undefined) return undefined;
  const machine = machineOf(context, record);
  if (driver.health !== undefined && !(await driver.health.isReady(machine, runtime.handle)))
    return undefined;
  const session = await driver.exec.exec(machine, runtime.handle, {
    argv: ['echo', PROOF],
    env: {},
    tty: false,
  });
  try {
    session.stdin.end();
    session.stderr?.resume();
    const said = firstBytes(session.stdout, LONGEST_ANSWER);
    return (await bounded('hear the command', context.timings.question, said)).toString('utf8').trim();
  } finally {
    session.close();
  }
}

function present(context: Context, id: string): VpsRecord {
  const record = context.state.vps.get(id);
  if (record !== undefined) return record;
  throw new MullionError('not_found', 'The scratch VPS is gone.');
}
