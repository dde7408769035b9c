import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { after, before, describe, it } from 'node:test';
import type { ExecRequest } from '../../src/contract/streams.ts';
import type { Handle, Machine } from '../../src/drivers/driver.ts';
import { finish } from '../conformance/drivers.ts';
import { type CrunFixture, debianImage, NO_DEBIAN, openCrunFixture } from '../support/crun-fixture.ts';

/** Numbers of system calls on x86-64. */
const CALL = { io_setup: 206, unshare: 272 } as const;
const NEW = { uts: 0x0400_0000, net: 0x4000_0000, user: 0x1000_0000 } as const;

/** Opens terminals at `path` until it gets no more, or has `most`. */
const terminals = (path: string, most: number): string =>
  `my ($n, @h) = 0; while ($n < ${most}) { open(my $t, '+<', '${path}') or last; push @h, $t; $n++ } say $n;`;
/** Room for so many requests in each of some queues. */
const queues = (requests: number, most: number): string =>
  `my ($n, @h) = 0; while ($n < ${most}) { my $q = "\\0" x 8; last if syscall(${CALL.io_setup}, ${requests}, $q) != 0; push @h, $q; $n++ } say $n;`;
/** Namespaces of a kind, held by their files. */
const namespaces = (kind: 'uts' | 'net', most: number): string =>
  `my ($n, @h) = 0; while ($n < ${most}) { last if syscall(${CALL.unshare}, ${NEW[kind]}) != 0; open(my $f, '<', '/proc/self/ns/${kind}') or last; push @h, $f; $n++ } say $n;`;
const users = (most: number): string =>
  `my ($n, @h) = 0; while ($n < ${most}) { pipe(my $r, my $w); my $c = fork; if (!$c) { syswrite($w, syscall(${CALL.unshare}, ${NEW.user}) == 0 ? 'y' : 'n'); sleep 9; exit } sysread($r, my $b, 1); my $f; my $got = $b eq 'y' && open($f, '<', "/proc/$c/ns/user"); kill 9, $c; waitpid $c, 0; last if !$got; push @h, $f; $n++ } say $n;`;

describe('two containers of one host', () => {
  let fixture: CrunFixture | undefined;
  let unfit: string | undefined;
  type Guest = { readonly machine: Machine; readonly handle: Handle };
  const guests: Guest[] = [];

  before(async () => {
    const image = debianImage();
    if (process.getuid?.() !== 0) unfit = 'needs root';
    else if (process.arch !== 'x64') unfit = 'the numbers of system calls are those of x86-64';
    else if (image === undefined) unfit = NO_DEBIAN;
    if (unfit !== undefined || image === undefined) return;
    const program = {
      uid: 0,
      gid: 0,
      groups: [],
      cwd: '/',
      argv: ['sleep', 'infinity'],
      env: {},
      stopSignal: 9,
    };
    fixture = openCrunFixture({ ...image, program }, 60_000);
    for (const _ of ['greedy', 'neighbour']) {
      const machine = await fixture.machine();
      await fixture.driver.populate(machine);
      const { handle } = await fixture.driver.prepare(machine);
      guests.push({ machine, handle });
      await fixture.driver.start(machine, handle);
    }
  });
  after(async () => {
    for (const { machine } of guests) await fixture?.driver.remove(machine, undefined);
    await fixture?.close();
  });

  async function exec({ machine, handle }: Guest, argv: ExecRequest['argv']) {
    const session = await fixture?.driver.exec?.exec(machine, handle, { argv, env: {}, tty: false });
    assert.ok(session !== undefined);
    return session;
  }
  const count = async (guest: Guest, program: string): Promise<number> => {
    const { stdout, stderr } = await finish(await exec(guest, ['perl', '-E', program]));
    assert.match(stdout, /^\d+\n$/, stderr);
    return Number(stdout);
  };
  /** What the one gets, and what the other gets while the first holds it. */
  async function both(greedy: string, modest: string, prepare = 'true'): Promise<[number, number]> {
    const [one, other] = guests;
    assert.ok(one !== undefined && other !== undefined);
    const script = `ulimit -n "$(ulimit -Hn)"; ${prepare}; exec perl -E "$1"`;
    const held = await exec(one, ['sh', '-c', script, 'sh', `$| = 1; ${greedy} <STDIN>`]);
    held.stderr?.resume();
    const first = await new Promise<number>((resolve) =>
      held.stdout.once('data', (line: Buffer) => resolve(Number(line.toString()))),
    );
    try {
      return [first, await count(other, modest)];
    } finally {
      held.stdin.end();
      await held.exit;
    }
  }
  const share = (name: string, body: () => Promise<void>): void => {
    it(name, async (t) => (fixture === undefined ? t.skip(unfit ?? 'no fixture') : body()));
  };

  share('have terminals, though one mounts its own file system of them and takes thousands', async () => {
    const own = 'mkdir -p /mnt/t && mount -t devpts -o max=1000000 x /mnt/t';
    const [greedy, modest] = await both(terminals('/mnt/t/ptmx', 5_000), terminals('/dev/ptmx', 16), own);
    assert.equal(modest, 16);
    assert.ok(greedy > 4_096, `${greedy} are more than a kernel has by itself`);
  });

  share('have room for asynchronous reads and writes, though one asks for all', async () => {
    const [greedy, modest] = await both(queues(65_536, 4), queues(1_024, 4));
    assert.equal(modest, 4);
    assert.equal(greedy, 4);
  });

  share('pay with memory for what has no number of its own', () => {
    const most = (name: string): number => Number(readFileSync(`/proc/sys/fs/${name}`, 'utf8'));
    assert.ok(most('aio-max-nr') * 64 > totalmem());
    assert.ok(most('file-max') * 256 > totalmem());
    return Promise.resolve();
  });

  share('have each a share of namespaces, and no more', async () => {
    for (const [program, limit] of [
      [(most: number) => namespaces('uts', most), 256],
      [(most: number) => namespaces('net', most), 128],
      [users, 256],
    ] as const) {
      const [greedy, modest] = await both(program(600), program(10));
      assert.equal(modest, 10);
      assert.ok(greedy > 64 && greedy <= limit, `${greedy} of ${limit}`);
    }
  });
});
