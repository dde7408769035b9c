import { randomBytes } from 'node:crypto';
import type { AgentChannel } from './agent-channel.ts';
import { runInGuest } from './agent-commands.ts';

const SEED_BYTES = 64;
const LIMIT_MS = 30_000;

/** A shell line that has a guest draw random numbers anew, and fails where it cannot (ioctl RNDRESEEDCRNG, random(4)). */
export const RESEED = `perl -e 'open my $f, "+>", "/dev/urandom" or die $!; ioctl($f, 0x5207, 0) or die $!'`;

/** A guest without one of the programs goes on without what it does. */
const SETTLE = `date -u -s "@$1" >/dev/null
cat >/dev/urandom
${RESEED}
true`;

/** Puts the clock of a guest right that was asleep, and has it draw random numbers anew: it may wake more than once. */
export async function settleAfterSleep(agent: AgentChannel): Promise<void> {
  const now = (Date.now() / 1000).toFixed(3);
  await runInGuest(agent, ['/bin/sh', '-c', SETTLE, 'sh', now], LIMIT_MS, randomBytes(SEED_BYTES));
}
