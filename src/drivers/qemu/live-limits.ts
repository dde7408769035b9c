import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import type { Limits } from '../../contract/vps.ts';
import type { AgentChannel } from '../guest-agent/agent-channel.ts';
import { runInGuest } from '../guest-agent/agent-commands.ts';
import { processors, threadsMax } from './command-line.ts';
import type { QmpClient } from './qmp.ts';

const AnySchema = z.unknown();
const SlotsSchema = z.array(
  z.object({ type: z.string(), props: z.record(z.string(), z.number()), 'qom-path': z.string().optional() }),
);

/**
 * Plugs in processors until there are as many as `cpus` needs. They are never taken out: a guest may refuse that, and
 * the share of time is limited all the same.
 * @throws MullionError `insufficient_cpus` beyond what the machine was started with room for
 */
export async function plugProcessors(monitor: QmpClient, agent: AgentChannel, cpus: number): Promise<void> {
  const slots = await monitor.execute('query-hotpluggable-cpus', {}, SlotsSchema);
  const free = slots.filter((slot) => slot['qom-path'] === undefined);
  const missing = processors(cpus) - (slots.length - free.length);
  if (missing <= 0) return;
  if (missing > free.length) {
    throw new MullionError(
      'insufficient_cpus',
      `The VPS can have ${slots.length} processors while it runs.`,
      {
        remedy: 'Stop it, set cpus, and start it again',
      },
    );
  }
  const chosen = free.reverse().slice(0, missing);
  for (const { type, props } of chosen) {
    const id = `cpu-${Object.values(props).join('-')}`;
    await monitor.execute('device_add', { driver: type, id, ...props }, AnySchema);
  }
  await inGuest(agent, BRING_ONLINE, String(processors(cpus)));
}

/** Waits for the processors to appear in the guest, and switches them on. */
const BRING_ONLINE = `n=0
while :; do
  for f in /sys/devices/system/cpu/cpu[0-9]*/online; do
    [ -e "$f" ] && [ "$(cat "$f")" = 0 ] && echo 1 >"$f"
  done
  [ "$(getconf _NPROCESSORS_ONLN)" -ge "$1" ] && exit 0
  n=$((n + 1)); [ "$n" -gt 50 ] && exit 1
  sleep 0.1
done`;

/**
 * The guest's kernel counts its own threads too, so they are added as they are now; where it has no groups by which
 * to tell them, as they usually are. Root in the guest can raise the limit, other users cannot.
 */
export async function limitThreads(agent: AgentChannel, limits: Limits): Promise<void> {
  const usual = threadsMax(limits.pids, limits.cpus);
  await inGuest(agent, LIMIT_THREADS, String(limits.pids), String(usual));
}

const LIMIT_THREADS = `limit=$2
read -r a b c tasks d </proc/loadavg
own=0
for f in /sys/fs/cgroup/init.scope /sys/fs/cgroup/*.slice; do
  [ -e "$f/pids.current" ] && read -r n <"$f/pids.current" && own=$((own + n))
done
[ "$own" -gt 0 ] && limit=$(($1 + \${tasks#*/} - own))
echo "$limit" >/proc/sys/kernel/threads-max`;

/** Both ask the kernel to grow the mounted ext4; an image has at least one of them. */
const GROW_ROOT = `if command -v resize2fs >/dev/null; then exec resize2fs /dev/vda; fi
exec /lib/systemd/systemd-growfs /`;

/** Tells QEMU of the larger file, and the guest's file system of the larger disk. */
export async function growDisk(monitor: QmpClient, agent: AgentChannel, size: number): Promise<void> {
  await monitor.execute('block_resize', { 'node-name': 'disk', size }, AnySchema, 30_000);
  await inGuest(agent, GROW_ROOT);
}

async function inGuest(agent: AgentChannel, script: string, ...args: readonly string[]): Promise<void> {
  const result = await runInGuest(agent, ['/bin/sh', '-c', script, 'mullion', ...args], 60_000);
  if (result.code === 0) return;
  const why = result.stderr.toString('utf8', 0, 500).trim().split('\n').at(-1) || `exit code ${result.code}`;
  throw new MullionError('command_failed', `The guest did not take its new limit: ${why}`);
}
