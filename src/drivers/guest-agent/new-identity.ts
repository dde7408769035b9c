import { MullionError } from '../../contract/errors.ts';
import { renderTar } from '../archive/tar.ts';
import type { Machine } from '../driver.ts';
import { randomSeed } from '../provision/first-start.ts';
import { identityFiles } from '../provision/identity.ts';
import type { AgentChannel } from './agent-channel.ts';
import { runInGuest } from './agent-commands.ts';
import { threadsMax } from './guest-limits.ts';

const SETTLE_MS = 10 * 60_000;
const IDENTITY_MS = 60_000;

/**
 * Makes the kernel draw its next random numbers from what was mixed in last, ioctl RNDRESEEDCRNG of random(4). A kernel
 * with the driver of the generation number does so by itself; the program is there for the others.
 */
const RESEED = `perl -e '
open my $f, ">", "/dev/urandom" or die;
if (@ARGV) { open my $s, "<", $ARGV[0] or die; sysread $s, my $d, 4096; syswrite $f, $d or die }
ioctl($f, 0x5207, 0) or die' --`;

/**
 * Waits until the guest has finished its boot, takes out what no two servers may share, and stops what has read it. What
 * can be asked of a guest is checked here: that its random numbers can be drawn anew.
 */
const SETTLE = `set -e
cd /
if [ -d /run/systemd/system ]; then
  systemctl is-system-running --wait >/dev/null || true
  systemctl stop ssh.service ssh.socket 2>/dev/null || true
fi
${RESEED}
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub /var/lib/mullion/host-keys-* /var/lib/systemd/random-seed
sync
`;

/**
 * The clock, the files, the name, fresh random numbers and the limit on threads, in the order in which each needs the
 * ones before. What takes longer goes on behind the answer: new host keys, the network's service, the first script.
 */
const BECOME = `set -e
cd /
date -u -s "@$1" >/dev/null
tar -xf - -C /
echo "$2" >/proc/sys/kernel/hostname
${RESEED} /var/lib/systemd/random-seed
echo "$3" >/proc/sys/kernel/threads-max
read -r boot </proc/sys/kernel/random/uuid
echo "$boot" >/run/mullion-boot-id
mount --bind /run/mullion-boot-id /proc/sys/kernel/random/boot_id
[ -d /run/systemd/system ] || exit 0
(
  systemctl daemon-reexec
  systemctl restart --no-block systemd-networkd.service
  systemctl restart --no-block systemd-journald.service
  systemctl restart mullion-ssh-keys.service
  systemctl start --no-block ssh.service
  systemctl start --no-block mullion-user-data.service
) >/dev/null 2>&1 </dev/null &
`;

/** Brings a guest to where copies of its memory can become servers of their own. @throws image_unfit */
export const settleForCopies = (agent: AgentChannel): Promise<void> =>
  told(agent, 'be prepared for a warm start', SETTLE, [], SETTLE_MS);

/** Makes a guest that goes on from the memory of another the server that the machine says. */
export async function becomeAnother(agent: AgentChannel, machine: Machine): Promise<void> {
  const { name, limits } = machine;
  const files = renderTar([...identityFiles(machine), randomSeed()], new Date());
  const args = [(Date.now() / 1000).toFixed(3), name, String(threadsMax(limits.pids, limits.cpus))];
  await told(agent, 'take its identity', BECOME, args, IDENTITY_MS, files);
}

async function told(
  agent: AgentChannel,
  what: string,
  script: string,
  args: readonly string[],
  timeoutMs: number,
  input?: Buffer,
): Promise<void> {
  const argv = ['/bin/sh', '-c', script, 'sh', ...args] as const;
  const { code, stderr } = await runInGuest(agent, argv, timeoutMs, input);
  if (code === 0) return;
  const why = stderr.toString('utf8', 0, 500).trim().split('\n').at(-1) || `exit code ${code}`;
  throw new MullionError('image_unfit', `The guest could not ${what}: ${why}`);
}
