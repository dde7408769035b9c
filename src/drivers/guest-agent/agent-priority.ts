import type { ArchiveEntry } from '../archive/entry.ts';
import { textFile } from '../provision/text-file.ts';

/**
 * The agent's own, among the processes of its guest (nice(2)): whoever waits for a guest that boots waits for the agent and
 * what it begins. The commands that a runner starts have the ordinary one.
 */
export const AGENT_NICE = -10;

/** For the agent's unit of Debian's package, until the guest starts anew (systemd.unit(5), drop-ins). */
export const agentPriority = (): ArchiveEntry =>
  textFile(
    'run/systemd/system/qemu-guest-agent.service.d/10-mullion.conf',
    `[Service]\nNice=${AGENT_NICE}\n`,
  );
