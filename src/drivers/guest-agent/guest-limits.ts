import { MullionError } from '../../contract/errors.ts';
import type { Limits } from '../../contract/vps.ts';
import type { AgentChannel } from './agent-channel.ts';
import { runInGuest } from './agent-commands.ts';

/** Threads of a small guest's own kernel, measured 62 to 70 with one processor: they count towards its limit too. */
const KERNEL_THREADS = 64;
const KERNEL_THREADS_PER_CPU = 16;

export const processors = (cpus: number): number => Math.max(1, Math.ceil(cpus));

/** The kernel's limit on threads that leaves `pids` to the guest's own processes. */
export const threadsMax = (pids: number, cpus: number): number =>
  pids + KERNEL_THREADS + KERNEL_THREADS_PER_CPU * processors(cpus);

/** Waits until the guest sees as many processors as `cpus` needs, and has them switched on. */
export const bringProcessorsOnline = (agent: AgentChannel, cpus: number): Promise<void> =>
  inGuest(agent, BRING_ONLINE, String(processors(cpus)));

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

/**
 * The kernel hears of the new size a little later, from Xen with the next request (Linux, xen-blkback, xen_vbd_resize). Both
 * programs ask it to grow the mounted ext4; an image has at least one of them.
 */
const GROW_ROOT = `tries=0
until [ "$(cat "/sys/class/block/\${1##*/}/size")" -ge "$2" ]; do
  tries=$((tries + 1))
  [ $tries -le 200 ] || { echo "$1 does not grow" >&2; exit 1; }
  dd if="$1" of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null
  sleep 0.05
done
if command -v resize2fs >/dev/null; then exec resize2fs "$1"; fi
exec /lib/systemd/systemd-growfs /`;

const GROW_PARTITION = 'exec resizepart "$1" "$2" "$3"';

const SECTOR = 512;

/** Lets the guest's root file system fill its disk, which has grown to `size` bytes. @param disk its device in the guest */
export const growRoot = (agent: AgentChannel, disk: string, size: number): Promise<void> =>
  inGuest(agent, GROW_ROOT, disk, String(Math.floor(size / SECTOR)));

/** Makes a partition as large as `size` bytes while its file system is mounted, by resizepart(8) of util-linux. */
export const growPartition = (
  agent: AgentChannel,
  disk: string,
  partition: number,
  size: number,
): Promise<void> =>
  inGuest(agent, GROW_PARTITION, disk, String(partition), String(Math.floor(size / SECTOR)));

async function inGuest(agent: AgentChannel, script: string, ...args: readonly string[]): Promise<void> {
  const result = await runInGuest(agent, ['/bin/sh', '-c', script, 'mullion', ...args], 60_000);
  if (result.code === 0) return;
  const why = result.stderr.toString('utf8', 0, 500).trim().split('\n').at(-1) || `exit code ${result.code}`;
  throw new MullionError('command_failed', `The guest did not take its new limit: ${why}`);
}
