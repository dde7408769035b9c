import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../support/command.ts';
import { TestDaemon } from '../support/daemon.ts';
import { read, written } from '../support/disk-rates.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { PLAIN } from '../support/test-image.ts';
import { infoOf } from './verbs.ts';

const MIB = 1024 ** 2;
const MEASURE_MS = 3_000;
/** Serves without end on 7001, takes without end on 7002; what is left of one connection holds up no other. */
const SERVER = `use Socket; $SIG{PIPE} = $SIG{CHLD} = 'IGNORE'; $b = 'x' x 65536;
for $p (7001, 7002) { next if fork; socket(S, PF_INET, SOCK_STREAM, 0); setsockopt(S, SOL_SOCKET, SO_REUSEADDR, 1);
  bind(S, sockaddr_in($p, INADDR_ANY)) or die; listen(S, 9);
  while (accept(C, S)) { if (fork) { close C; next }
    if ($p == 7001) { while (syswrite(C, $b)) {} } else { while (sysread(C, $d, 65536)) {} } exit } exit }
sleep 3600`;

/** Bits a second that arrive: at the host from the VPS, or in the VPS from the host. */
async function flow(daemon: TestDaemon, direction: 'in' | 'out'): Promise<number> {
  const { addresses } = await infoOf(daemon, 'a');
  const socket = connect({ host: addresses[0] ?? '', port: direction === 'out' ? 7001 : 7002 });
  let received = 0;
  socket.on('data', (piece) => {
    received += piece.length;
  });
  const ended = new Promise((resolve) => socket.on('close', resolve));
  const piece = Buffer.alloc(65_536);
  const pour = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  if (direction === 'in') socket.on('drain', pour).on('connect', pour);
  const count = async (): Promise<number> =>
    direction === 'out' ? received : (await infoOf(daemon, 'a')).usage.networkIn;
  try {
    await eventually('something arrives', async () => (await count()) > 100_000, 10_000);
    await sleep(500);
    const [before, began] = [await count(), performance.now()];
    await sleep(MEASURE_MS);
    const after = await count();
    return ((after - before) * 8) / ((performance.now() - began) / 1000);
  } finally {
    socket.destroy();
    await ended;
  }
}

const writes = (daemon: TestDaemon, count: number, more?: string): Promise<number> =>
  written(daemon, 'a', count, more);
const reads = (daemon: TestDaemon, count: number, more?: string): Promise<number> =>
  read(daemon, 'a', count, more);

/** A busy machine may do less than it may; never more. */
function near(measured: number, limit: number, what: string): void {
  const share = measured / limit;
  assert.ok(share > 0.5 && share < 1.2, `${what}: ${Math.round(share * 100)}% of its limit`);
}

if (enterPrivateNetns(import.meta.url)) {
  test('rates of a VPS of technique os', { timeout: 600_000 }, async (t) => {
    await using daemon = await TestDaemon.start('rates');
    await daemon.ensureQuickImage();
    await daemon.ok([
      ...['launch', 'quick', 'a', ...PLAIN, '--technique', 'os', '--memory', '256M'],
      ...[
        '--disk-read-rate',
        '8M',
        '--disk-write-rate',
        '4M',
        '--network-in-rate',
        '20M',
        '--network-out-rate',
        '10M',
      ],
    ]);
    await daemon.inside(
      'a',
      `setsid perl -e '${SERVER.replaceAll("'", "'\\''")}' >/dev/null 2>&1 </dev/null &`,
    );

    await daemon.check(t, 'info and top show them', async () => {
      const shown = await daemon.ok(['info', 'a']);
      assert.match(shown, /disk read 8M\/s at most, disk write 4M\/s at most, network in 20Mbit\/s at most/);
      assert.match(await daemon.ok(['top', '--once']), /r8M w4M in20M out10M/);
    });

    await daemon.check(t, 'what it writes and reads is held to them', async () => {
      near(await writes(daemon, 16), 4 * MIB, 'direct writes');
      near(await writes(daemon, 16, 'bs=1M conv=notrunc,fsync'), 4 * MIB, 'flushed writes');
      near(await reads(daemon, 16), 8 * MIB, 'reads');
    });

    await daemon.check(t, 'what it sends and receives is held to them', async () => {
      near(await flow(daemon, 'out'), 10e6, 'sent');
      near(await flow(daemon, 'in'), 20e6, 'received');
    });

    await daemon.check(t, 'set changes them while it runs, up and down', async () => {
      await daemon.ok([
        'set',
        'a',
        'diskReadRate=16M',
        'diskWriteRate=0',
        'networkInRate=5M',
        'networkOutRate=40M',
      ]);
      assert.deepEqual((await infoOf(daemon, 'a')).pendingRestart, []);
      near(await reads(daemon, 16), 16 * MIB, 'reads');
      const unlimited = await writes(daemon, 16);
      assert.ok(unlimited > 8 * MIB, `without a limit it writes ${unlimited} bytes a second`);
      near(await flow(daemon, 'out'), 40e6, 'sent');
      near(await flow(daemon, 'in'), 5e6, 'received');
    });

    await daemon.check(t, 'operations are counted apart', async () => {
      await daemon.ok(['set', 'a', 'diskReadRate=0', 'diskReadOps=100', 'diskWriteOps=50']);
      near((await reads(daemon, 300, 'bs=4k iflag=direct')) / 4096, 100, 'reads a second');
      near((await writes(daemon, 150, 'bs=4k oflag=direct')) / 4096, 50, 'writes a second');
    });

    await daemon.check(t, 'they hold after a restart of the daemon and of the VPS', async () => {
      await daemon.restart();
      near(await flow(daemon, 'in'), 5e6, 'received');
      await daemon.ok(['set', 'a', 'networkInRate=0', 'diskReadOps=0', 'diskWriteOps=0', 'diskWriteRate=4M']);
      await daemon.ok(['restart', 'a', '--force']);
      near(await writes(daemon, 16), 4 * MIB, 'writes');
    });

    await daemon.check(t, 'nothing is left of them once they are taken away', async () => {
      await daemon.ok(['set', 'a', 'networkOutRate=0', 'diskWriteRate=0']);
      const { stdout } = await runCommand(['tc', 'qdisc', 'show']);
      assert.doesNotMatch(stdout, /tbf|ingress/);
    });

    await daemon.check(t, 'what makes no sense is refused', async () => {
      for (const change of ['diskReadRate=1', 'diskWriteOps=1', 'networkInRate=9', 'networkOutRate=x'])
        assert.notEqual((await daemon.cli(['set', 'a', change])).code, 0, change);
    });
  });
}
