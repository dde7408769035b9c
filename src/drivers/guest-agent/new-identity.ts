import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import type { Machine } from '../driver.ts';
import { randomSeed } from '../provision/first-start.ts';
import { identityFiles } from '../provision/identity.ts';
import { RESEED } from './after-sleep.ts';
import type { AgentChannel } from './agent-channel.ts';
import { readSmallFile, runInGuest, writeSmallFile } from './agent-commands.ts';
import { threadsMax } from './guest-limits.ts';
import { AWAKE, renderNewIdentity, SLEEPER, SLEEPER_PROGRAM, WAKE } from './sleeper.ts';

const SETTLE_MS = 10 * 60_000;
const IDENTITY_MS = 60_000;
const FIRST_LOOK_MS = 15;
const LONGEST_LOOK_MS = 200;

/**
 * Waits until the guest has finished its boot, takes out what no two servers may share, stops what has read it, and
 * leaves a program that waits for the next identity. It draws random numbers anew: a guest that cannot do that is none
 * for copies.
 */
const SETTLE = `set -e
cd /
cat >${SLEEPER}
if [ -d /run/systemd/system ]; then
  systemctl is-system-running --wait >/dev/null || true
  systemctl stop ssh.service ssh.socket systemd-networkd.socket systemd-networkd.service 2>/dev/null || true
fi
${RESEED}
perl -c ${SLEEPER} 2>/dev/null
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub /var/lib/mullion/host-keys-* /var/lib/systemd/random-seed
rm -f ${WAKE} ${AWAKE}
sync
setsid perl ${SLEEPER} >/dev/null 2>&1 </dev/null &
sleep 1
`;

/** Brings a guest to where copies of its memory can become servers of their own. @throws image_unfit */
export async function settleForCopies(agent: AgentChannel): Promise<void> {
  const argv = ['/bin/sh', '-c', SETTLE] as const;
  const { code, stderr } = await runInGuest(agent, argv, SETTLE_MS, Buffer.from(SLEEPER_PROGRAM));
  if (code === 0) return;
  const why = stderr.toString('utf8', 0, 500).trim().split('\n').at(-1) || `exit code ${code}`;
  throw new MullionError('image_unfit', `The guest could not be prepared for a warm start: ${why}`);
}

/** Makes a guest that goes on from the memory of another the server that the machine says. @throws image_unfit */
export async function becomeAnother(agent: AgentChannel, machine: Machine): Promise<void> {
  const { name, limits } = machine;
  const identity = renderNewIdentity({
    now: Date.now() / 1000,
    name,
    threadsMax: threadsMax(limits.pids, limits.cpus),
    entries: [...identityFiles(machine), randomSeed()],
  });
  await writeSmallFile(agent, WAKE, identity);
  const answer = await awaitAnswer(agent);
  if (answer === 'ok') return;
  throw new MullionError('image_unfit', `The guest could not take its identity: ${answer.slice(0, 300)}`);
}

async function awaitAnswer(agent: AgentChannel): Promise<string> {
  const until = performance.now() + IDENTITY_MS;
  for (let pause = FIRST_LOOK_MS; ; pause = Math.min(LONGEST_LOOK_MS, pause * 1.3)) {
    await sleep(pause);
    try {
      return (await readSmallFile(agent, AWAKE, 1024)).toString();
    } catch (failure) {
      // The agent refuses to open what is not there yet.
      const refused = failure instanceof MullionError && failure.code === 'command_failed';
      if (!refused || performance.now() > until) throw failure;
    }
  }
}
