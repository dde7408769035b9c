import { MullionError } from '../contract/errors.ts';
import type { Task } from '../contract/tasks.ts';
import { requireMove } from '../core/lifecycle.ts';
import { bounded } from './bounded.ts';
import type { Context } from './context.ts';
import { applyFirewall } from './firewall-rules.ts';
import { attachmentOf, machineOf } from './machine.ts';
import { nameTaken, requireFreeName } from './new-vps.ts';
import { startTask } from './node-task.ts';
import type { VpsRecord } from './records.ts';
import { claims } from './state.ts';
import type { TaskRun } from './task-run.ts';

/** A root shell's work; the guest may be hostile, or have neither program. */
const TELL = 'hostname "$1" && printf "%s\\n" "$1" >/etc/hostname';
const TELL_MS = 10_000;

/** Gives a VPS another name: here, on its network, and inside as far as what runs there takes it. */
export async function rename(context: Context, project: string, name: string, next: string): Promise<Task> {
  const { id } = context.state.requireVps(project, name);
  check(context, project, name, next);
  // No task of the VPS itself: taken up again by another daemon, it would pursue the VPS's goal.
  const subject = { kind: 'vps.rename', project, target: name, vps: null };
  return startTask(context, id, subject, async (run) => {
    await run.part(`take the name ${next}`, () => take(context, id, project, name, next));
    await run.part('tell the network', () => tellNetwork(context, id));
    await tellGuest(context, id, run);
  });
}

function check(context: Context, project: string, name: string, next: string): VpsRecord {
  const record = context.state.requireVps(project, name);
  requireMove(name, record.state, 'set');
  requireFreeName(context, project, next);
  return record;
}

async function take(
  context: Context,
  id: string,
  project: string,
  name: string,
  next: string,
): Promise<void> {
  const record = check(context, project, name, next);
  if (record.id !== id) throw new MullionError('conflict', `${name} is another VPS by now.`);
  const { state } = context;
  const claim = claims.name(project, next);
  const operations = [
    state.vps.put({ ...record, name: next }),
    { type: 'put', key: claim, value: id },
    { type: 'delete', key: claims.name(project, name) },
  ] as const;
  try {
    if (!(await state.commit(operations, [claim]))) throw nameTaken(project, next);
  } catch (failure) {
    state.vps.set(record);
    throw failure;
  }
  context.events.emit('vps.renamed', project, next, { id, previous: name });
}

async function tellNetwork(context: Context, id: string): Promise<void> {
  const record = context.state.vps.get(id);
  if (record === undefined || record.observed.network === 'none') return;
  const attachment = attachmentOf(context, record);
  if (attachment === undefined) return;
  await bounded('tell the network', context.timings.step, context.deps.network.admit(attachment));
  await applyFirewall(context);
}

async function tellGuest(context: Context, id: string, run: TaskRun): Promise<void> {
  const record = context.state.vps.get(id);
  if (record === undefined || record.runtime === null) return;
  const { name, technique, runtime } = record;
  const rest = `mullion restart ${name}`;
  const exec = context.deps.drivers.get(technique)?.exec;
  const ms = Math.min(TELL_MS, context.timings.step);
  const tell = async (): Promise<number> => {
    if (exec === undefined) throw new MullionError('not_supported', 'It takes no commands.');
    const request = { argv: ['sh', '-c', TELL, 'sh', name], env: {}, tty: false };
    const session = await exec.exec(machineOf(context, record), runtime.handle, request);
    try {
      session.stdin.end();
      session.stdout.resume();
      session.stderr?.resume();
      return await bounded('tell the guest', ms, session.exit);
    } finally {
      session.close();
    }
  };
  try {
    const code = await bounded('tell the guest', ms, tell());
    if (code !== 0) throw new MullionError('command_failed', `The guest's shell answered ${code}.`);
    run.warn(`What runs in it and read the name before keeps the old one until: ${rest}`);
  } catch (failure) {
    context.deps.logger.info('a guest was not told its name', { vps: id, failure });
    run.warn(`Inside it has its old host name until: ${rest}`);
  }
}
