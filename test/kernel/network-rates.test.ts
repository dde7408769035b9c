import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { shaperOf } from '../../src/network/rate-writer.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { NetworkWorld } from '../support/network-world.ts';
import { eventually } from '../support/scratch.ts';
import { host, listens, type Place } from '../support/servers.ts';

const PORT = 7000;
const [HIGH, LOW] = [20e6, 5e6];

const LOWERINGS = 2;

/** Bytes that have left by a link. */
const sentBy = (link: string): number =>
  Number(
    new RegExp(`${link}:\\s*(?:\\d+\\s+){8}(\\d+)`).exec(readFileSync('/proc/net/dev', 'utf8'))?.[1] ?? 0,
  );

/** Sends without end, in the largest packets that there are. */
function pour(from: Place, to: string): ChildProcess {
  const [program = '', ...argv] = from.command([
    'socat',
    '-u',
    '-b1048576',
    '/dev/zero',
    `TCP4:${to}:${PORT}`,
  ]);
  return spawn(program, argv, { stdio: 'ignore' });
}

if (enterPrivateNetns(import.meta.url)) {
  for (const direction of ['in', 'out'] as const) {
    test(`what comes ${direction} goes on when its rate is lowered while packets wait`, async () => {
      await using world = new NetworkWorld();
      const lan = world.network(0);
      const one = await world.join(lan, 'one');
      const link = one.attachment.nic.hostLink;
      const limit = (rate: number): Promise<void> =>
        world.backend.setRates({
          ...one.attachment,
          rates: {
            networkInRate: 0,
            networkOutRate: 0,
            [direction === 'in' ? 'networkInRate' : 'networkOutRate']: rate,
          },
        });
      const two = await world.join(lan, 'two');
      const [from, to, target] =
        direction === 'in' ? [host, one.guest, one.ipv4] : [one.guest, two.guest, two.ipv4];
      const argv = to.command(['socat', '-u', `TCP4-LISTEN:${PORT},reuseaddr`, 'OPEN:/dev/null']);
      const server = spawn(argv[0] ?? '', argv.slice(1), { stdio: 'ignore' });
      let sender: ChildProcess | undefined;
      try {
        await listens(to, 'tcp', PORT);
        await limit(HIGH);
        sender = pour(from, target);
        const passed = (): number => sentBy(direction === 'in' ? link : shaperOf(world.naming, link));
        for (let turn = 0; turn < LOWERINGS; turn++) {
          await limit(HIGH);
          const began = passed();
          await eventually('the queue is full', () => passed() > began + 500_000, 10_000);
          await limit(LOW);
          const lowered = passed();
          await eventually(
            `lowering ${turn + 1}: more than waited has come`,
            () => passed() > lowered + 400_000,
            10_000,
          );
        }
        assert.equal(sender.exitCode, null);
      } finally {
        sender?.kill('SIGKILL');
        server.kill('SIGKILL');
      }
    });
  }
}
