import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { fstatSync, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { Readable as ReadableStream } from 'node:stream';
import { after, before, describe, it, type TestContext } from 'node:test';
import { MullionError } from '../../src/contract/errors.ts';
import type { ExecRequest } from '../../src/contract/streams.ts';
import type { Feature, Technique } from '../../src/contract/techniques.ts';
import type { EndKind } from '../../src/core/restart-policy.ts';
import type { Driver, ExecSession, Handle, Machine, MachineEnd, Prepared } from '../../src/drivers/driver.ts';
import { eventually } from '../support/scratch.ts';

/**
 * One driver with the host it stands on. The guest of `machine()` needs these programs in its PATH: sh, echo, cat,
 * sleep, env, pwd, id, kill, head, printf, tty, stty. A driver without a real guest (the fake) answers them itself.
 */
export interface DriverFixture {
  readonly driver: Driver;
  readonly technique: Technique;
  /** A machine with a new empty volume, run and log directory and cgroup; ids are never used twice. */
  machine(overrides?: Partial<Machine>): Promise<Machine>;
  /** Of a driver whose guests may boot by a loader of their own: such a guest, and what its console shows once it is up. */
  readonly foreign?: { machine(): Promise<Machine>; readonly up: RegExp };
  /** The driver as a new daemon makes it: it knows only what is on disk. */
  reopen(): Driver;
  /** Has the running guest end so: by what it does itself, or by force from the host. */
  end(machine: Machine, handle: Handle, kind: EndKind): Promise<void>;
  /** False when only who watched knows how a machine ended. */
  readonly remembersEnds: boolean;
  /** Bytes of memory that the running machine is held to; absent: its guest sees them. */
  memoryOf?(machine: Machine): number;
  /** Milliseconds in which the guest must answer after its start, and end after a shutdown. */
  readonly patience: { readonly ready: number; readonly stop: number };
  /** Frees all that the fixture made. */
  close(): Promise<void>;
}

export interface DriverFixtureFactory {
  /** Why the suite cannot run here, from the driver's own probe; undefined when it can. */
  unfit(): Promise<string | undefined>;
  open(): Promise<DriverFixture>;
}

const request = (argv: readonly string[], more: Partial<ExecRequest> = {}): ExecRequest => ({
  argv: [...argv],
  env: {},
  tty: false,
  ...more,
});

export async function readAll(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

type Shared = Prepared & { readonly machine: Machine };

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end with `input` on its standard input. */
export async function finish(session: ExecSession, input = ''): Promise<Finished> {
  session.stdin.on('error', () => undefined);
  session.stdin.end(input);
  const [stdout, stderr, code] = await Promise.all([
    readAll(session.stdout),
    session.stderr === undefined ? Buffer.alloc(0) : readAll(session.stderr),
    session.exit,
  ]);
  return { code, stdout: stdout.toString(), stderr: stderr.toString() };
}

const hasCode =
  (code: MullionError['code']) =>
  (error: unknown): boolean =>
    error instanceof MullionError && error.code === code;

/** Lets the promise fail after a time, so that a driver that hangs fails its test and not the run. */
function within<T>(ms: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** What every driver must do. A step is left out only by what the driver declares that it cannot do. */
export function driverConformance(name: string, factory: DriverFixtureFactory): void {
  describe(`driver ${name}`, () => {
    let fixture: DriverFixture | undefined;
    let unfit: string | undefined;
    let shared: Shared | undefined;
    before(async () => {
      unfit = await factory.unfit();
      if (unfit === undefined) fixture = await factory.open();
    });
    after(async () => {
      if (shared !== undefined) await fixture?.driver.remove(shared.machine, undefined);
      await fixture?.close();
    });

    type Body = (context: TestContext, fixture: DriverFixture) => Promise<void>;
    const step = (title: string, needs: readonly Feature[], body: Body): void => {
      it(title, async (t) => {
        if (fixture === undefined) {
          t.skip(unfit ?? 'the fixture did not open');
          return;
        }
        const features = fixture.driver.features(fixture.technique);
        const missing = needs.filter((feature) => !features[feature]);
        if (missing.length > 0) {
          t.skip(`the driver declares that it lacks: ${missing.join(', ')}`);
          return;
        }
        await body(t, fixture);
      });
    };

    /** A prepared, or running and ready, machine that is removed after the test. */
    const prepared = async (t: TestContext, on: DriverFixture, overrides: Partial<Machine> = {}) => {
      const machine = await on.machine(overrides);
      t.after(() => on.driver.remove(machine, undefined));
      await on.driver.populate(machine);
      const { handle, link }: Prepared = await on.driver.prepare(machine);
      return { machine, handle, link };
    };
    const started = async (t: TestContext, on: DriverFixture, overrides: Partial<Machine> = {}) => {
      const made = await prepared(t, on, overrides);
      await on.driver.start(made.machine, made.handle);
      return made;
    };
    const ready = async (on: DriverFixture, { machine, handle }: Shared): Promise<void> => {
      const isReady = () => on.driver.health?.isReady(machine, handle) ?? true;
      await eventually('the guest is ready', isReady, on.patience.ready);
    };
    const running = async (t: TestContext, on: DriverFixture, overrides: Partial<Machine> = {}) => {
      const made = await started(t, on, overrides);
      await ready(on, made);
      return made;
    };
    /** A running machine for the steps that leave it running: a start takes some guests long. */
    const common = async (on: DriverFixture): Promise<Shared> => {
      if (shared !== undefined) {
        const { machine, handle } = shared;
        if ((await on.driver.recover(machine, handle)) === 'running') {
          await ready(on, shared);
          return shared;
        }
        await on.driver.remove(machine, undefined);
        shared = undefined;
      }
      const machine = await on.machine();
      shared = { machine, handle: { pid: 0, pidStart: 0, data: {} }, link: { kind: 'none' } };
      await on.driver.populate(machine);
      const made = await startCommon(on, machine);
      await ready(on, made);
      return made;
    };
    /** Starts the common machine from its volume, once it has ended and is removed. */
    const startCommon = async (on: DriverFixture, machine: Machine): Promise<Shared> => {
      const made = { machine, ...(await on.driver.prepare(machine)) };
      shared = made;
      await on.driver.start(machine, made.handle);
      return made;
    };
    const execIn = async (
      on: DriverFixture,
      made: { machine: Machine; handle: Prepared['handle'] },
      argv: readonly string[],
      more: Partial<ExecRequest> = {},
      input = '',
    ): Promise<Finished> => {
      const ability = on.driver.exec;
      assert.ok(ability !== undefined, 'the feature exec is declared, the ability is absent');
      const session = await ability.exec(made.machine, made.handle, request(argv, more));
      return within(30_000, argv.join(' '), finish(session, input));
    };

    step('declares an ability for each feature', [], async (_t, on) => {
      const { driver } = on;
      const features = driver.features(on.technique);
      assert.ok(driver.techniques.includes(on.technique));
      assert.equal(driver.exec !== undefined, features.exec);
      assert.equal(driver.console !== undefined, features.console);
      assert.equal(driver.logs !== undefined, features.logs);
      assert.equal(driver.files !== undefined, features.files);
      assert.equal(driver.pause !== undefined, features.pause);
      if (features.display) assert.ok(driver.display !== undefined);
      if (features.savedMemory) assert.ok(driver.memory !== undefined);
      if (features.warmStart) assert.ok(driver.warm !== undefined);
      if (features.liveMemory || features.liveCpus || features.livePids) {
        assert.ok(driver.limits !== undefined);
      }
    });

    step(
      'brings a guest’s file systems to rest and lets them go on, as often as wanted',
      ['exec'],
      async (t, on) => {
        const { freeze } = on.driver;
        if (freeze === undefined) {
          t.skip('the driver does not declare that it can');
          return;
        }
        const made = await common(on);
        for (let round = 0; round < 2; round += 1) {
          await freeze.freeze(made.machine, made.handle, 20_000);
          await freeze.thaw(made.machine, made.handle);
        }
        await freeze.thaw(made.machine, made.handle);
        const ran = await execIn(on, made, ['sh', '-c', 'echo x > /root/after; cat /root/after']);
        assert.equal(ran.stdout, 'x\n');
      },
    );

    step(
      'goes on from memory that was saved, once; what does not fit any more it tells, and boots',
      ['savedMemory', 'pause', 'exec'],
      async (_t, on) => {
        const { memory, pause } = on.driver;
        assert.ok(
          memory !== undefined && pause !== undefined,
          'the feature is declared, the ability is absent',
        );
        const { machine, handle } = await common(on);
        const bootId = async (handle: Handle): Promise<string> => {
          const read = await execIn(on, { machine, handle }, ['cat', '/proc/sys/kernel/random/boot_id']);
          return read.stdout;
        };
        const startAgain = async (as: Machine): Promise<Handle> => {
          const { handle, link } = await on.driver.prepare(as);
          assert.equal(await on.driver.recover(as, handle), 'prepared');
          await on.driver.start(as, handle);
          shared = { machine: as, handle, link };
          await ready(on, shared);
          return handle;
        };
        const first = await bootId(handle);
        assert.equal(await memory.saved(machine), undefined);
        await memory.save(machine, handle);
        assert.equal(await on.driver.recover(machine, handle), 'paused');
        await pause.resume(machine, handle);
        assert.equal(await memory.saved(machine), undefined);
        assert.equal(await bootId(handle), first);

        await memory.save(machine, handle);
        await on.driver.remove(machine, handle);
        assert.deepEqual(await memory.saved(machine), { unfit: undefined });
        await on.driver.prepare(machine);
        await on.driver.remove(machine, undefined);
        const again = await startAgain(machine);
        assert.equal(await bootId(again), first);
        assert.equal(await memory.saved(machine), undefined);

        await memory.save(machine, again);
        await on.driver.remove(machine, again);
        const larger = { ...machine, limits: { ...machine.limits, memory: machine.limits.memory + 2 ** 24 } };
        assert.match((await memory.saved(larger))?.unfit ?? '', /memory/);
        const booted = await startAgain(larger);
        assert.notEqual(await bootId(booted), first);
        assert.equal(await memory.saved(machine), undefined);
      },
    );

    step(
      'starts machines from copies of a template, each as itself and linked to nothing of the other',
      ['warmStart', 'savedMemory', 'exec'],
      async (t, on) => {
        const { memory, warm } = on.driver;
        assert.ok(
          memory !== undefined && warm !== undefined,
          'the feature is declared, the ability is absent',
        );
        assert.equal(await warm.basis(on.technique), await on.reopen().warm?.basis(on.technique));
        const template = await running(t, on, { template: true, nics: [] });
        await warm.settle(template.machine, template.handle);
        await memory.save(template.machine, template.handle);
        await on.driver.remove(template.machine, template.handle);
        const names = ['copy-one', 'copy-two'];
        const told: string[] = [];
        for (const name of names) {
          const machine = await on.machine({ name });
          t.after(() => on.driver.remove(machine, undefined));
          const content = `${template.machine.volume}/.`;
          execFileSync('cp', ['-a', '--reflink=auto', '--sparse=always', content, machine.volume]);
          assert.deepEqual(await memory.saved(machine), { unfit: undefined });
          const { handle } = await on.driver.prepare(machine);
          assert.equal(await on.driver.recover(machine, handle), 'prepared');
          await on.driver.start(machine, handle);
          assert.equal(await on.driver.recover(machine, handle), 'running');
          assert.equal(await memory.saved(machine), undefined);
          told.push((await execIn(on, { machine, handle }, ['hostname'])).stdout.trim());
          if (told.length < names.length) continue;
          // It falls asleep and goes on as any other.
          await memory.save(machine, handle);
          await on.driver.remove(machine, handle);
          const again = await on.driver.prepare(machine);
          await on.driver.start(machine, again.handle);
          const ready = async (): Promise<boolean> =>
            (await on.driver.health?.isReady(machine, again.handle)) ?? true;
          await eventually('it answers', ready, on.patience.ready);
          told.push((await execIn(on, { machine, handle: again.handle }, ['hostname'])).stdout.trim());
        }
        assert.deepEqual(told, [...names, names.at(-1)]);
      },
    );

    step('reports a technique that it runs as healthy, with evidence', [], async (_t, on) => {
      const report = await on.driver.probe(on.technique);
      assert.equal(report.id, on.technique);
      assert.equal(report.driver, on.driver.name);
      assert.equal(report.state, 'healthy', report.reason);
      assert.ok(report.evidence.length > 0);
      assert.equal(report.remedy, '');
    });

    step('populates a volume twice without harm', [], async (_t, on) => {
      const machine = await on.machine();
      await on.driver.populate(machine);
      await on.driver.populate(machine);
      await on.driver.remove(machine, undefined);
    });

    step('holds a prepared machine before its first instruction, then runs it', [], async (t, on) => {
      const { machine, handle } = await prepared(t, on);
      assert.ok(handle.pid > 0);
      assert.equal(await on.driver.recover(machine, handle), 'prepared');
      assert.ok((await on.driver.leftovers()).includes(machine.id));
      await on.driver.start(machine, handle);
      await eventually('it runs', async () => (await on.driver.recover(machine, handle)) === 'running');
    });

    step('keeps its handle through JSON, and a new daemon finds the machine with it', [], async (t, on) => {
      const { machine, handle } = await started(t, on);
      const kept: Prepared['handle'] = JSON.parse(JSON.stringify(handle));
      const later = on.reopen();
      assert.equal(await later.recover(machine, kept), 'running');
      assert.ok((await later.leftovers()).includes(machine.id));
      await later.remove(machine, kept);
      assert.equal(await on.driver.recover(machine, handle), 'gone');
    });

    step('does not take another process for its machine when the pid was used again', [], async (t, on) => {
      const { machine, handle } = await started(t, on);
      await on.driver.remove(machine, handle);
      const reused = { ...handle, pid: process.pid };
      assert.equal(await on.driver.recover(machine, reused), 'gone');
    });

    step('prepares anew what a killed daemon had prepared', [], async (t, on) => {
      const { machine } = await prepared(t, on);
      const later = on.reopen();
      await later.remove(machine, undefined);
      assert.ok(!(await later.leftovers()).includes(machine.id));
      const again = await later.prepare(machine);
      await later.start(machine, again.handle);
      await eventually('it runs', async () => (await later.recover(machine, again.handle)) === 'running');
    });

    step('connects early only what its machine is in, and fails with that', [], async (_t, on) => {
      const machine = await on.machine();
      await on.driver.populate(machine);
      const early: bigint[] = [];
      const { handle, link } = await on.driver.prepare(machine, async ({ fd }) => {
        early.push(fstatSync(fd, { bigint: true }).ino);
      });
      const own =
        link.kind === 'netns' ? statSync(`/proc/${link.pid}/ns/net`, { bigint: true }).ino : undefined;
      for (const seen of early) assert.equal(seen, own);
      await on.driver.remove(machine, handle);
      if (early.length === 0) return;
      const refuse = (): Promise<void> => Promise.reject(new Error('no link today'));
      await assert.rejects(on.driver.prepare(machine, refuse), /no link today/);
      assert.ok(!(await on.driver.leftovers()).includes(machine.id));
    });

    step('prepares twice and answers a machine that still starts', [], async (t, on) => {
      const { machine } = await prepared(t, on);
      const again = await on.driver.prepare(machine);
      await on.driver.start(machine, again.handle);
      await eventually('it runs', async () => (await on.driver.recover(machine, again.handle)) === 'running');
    });

    step('starts twice without harm', [], async (t, on) => {
      const { machine, handle } = await started(t, on);
      await on.driver.start(machine, handle);
      assert.equal(await on.driver.recover(machine, handle), 'running');
    });

    step('removes everything, and once more, with and without a handle', [], async (t, on) => {
      const { machine, handle } = await started(t, on);
      await on.driver.remove(machine, handle);
      await on.driver.remove(machine, handle);
      await on.driver.remove(machine, undefined);
      assert.equal(await on.driver.recover(machine, handle), 'gone');
      assert.ok(!(await on.driver.leftovers()).includes(machine.id));
    });

    step('removes what was never prepared', [], async (_t, on) => {
      const machine = await on.machine();
      await on.driver.remove(machine, undefined);
      assert.ok(!(await on.driver.leftovers()).includes(machine.id));
    });

    step('shuts a guest down within its time; it runs again from its volume', ['exec'], async (_t, on) => {
      const { machine, handle } = await common(on);
      const written = await execIn(on, { machine, handle }, ['sh', '-c', 'echo kept > /kept; sync']);
      assert.equal(written.code, 0, written.stderr);
      const isGraceful = on.driver.features(on.technique).gracefulStop;
      assert.equal(await on.driver.shutdown(machine, handle, on.patience.stop), isGraceful);
      if (isGraceful) {
        assert.equal(await on.driver.recover(machine, handle), 'gone');
        assert.equal(await on.driver.shutdown(machine, handle, on.patience.stop), true);
      }
      await on.driver.remove(machine, handle);
      const again = await startCommon(on, machine);
      await ready(on, again);
      assert.equal((await execIn(on, again, ['cat', '/kept'])).stdout, 'kept\n');
    });

    step('tells once when a machine has ended', [], async (t, on) => {
      const { machine, handle } = await started(t, on);
      let told = 0;
      const stop = on.driver.onExit(machine, handle, () => {
        told += 1;
      });
      await on.driver.remove(machine, handle);
      await eventually('the listener was called', () => told > 0);
      stop();
      assert.equal(told, 1);
    });

    for (const kind of ['poweroff', 'died', 'reboot'] as const) {
      step(`tells how a machine ended: ${kind}; then it runs again`, [], async (t, on) => {
        const { machine, handle } = await common(on);
        const ends: MachineEnd[] = [];
        t.after(on.driver.onExit(machine, handle, (end) => ends.push(end)));
        const bootId = async (): Promise<string | undefined> => {
          try {
            const request = { argv: ['cat', '/proc/sys/kernel/random/boot_id'], env: {}, tty: false };
            const session = await on.driver.exec?.exec(machine, handle, request);
            const read = session === undefined ? undefined : await finish(session);
            return read?.code === 0 ? read.stdout : undefined;
          } catch {
            return undefined;
          }
        };
        const first = kind === 'reboot' ? await bootId() : undefined;
        await on.end(machine, handle, kind);
        // Its end, or another boot of the same machine.
        const isBootedAnew = async (): Promise<boolean> => {
          if (first === undefined) return false;
          const isOther = (boot: string | undefined): boolean => boot !== undefined && boot !== first;
          await eventually(
            'it ended or booted anew',
            async () => ends.length > 0 || isOther(await bootId()),
            on.patience.ready,
          );
          return ends.length === 0;
        };
        if (!(await isBootedAnew())) {
          await eventually('the end was told', () => ends.length > 0, on.patience.stop);
          assert.deepEqual(
            ends.map((end) => end.kind),
            [kind],
          );
          assert.equal(await on.driver.recover(machine, handle), 'gone');
          const later: MachineEnd[] = [];
          on.reopen().onExit(machine, handle, (end) => later.push(end));
          await eventually('a later daemon learns it too', () => later.length > 0);
          if (on.remembersEnds)
            assert.deepEqual(
              later.map((end) => end.kind),
              [kind],
            );
          await on.driver.remove(machine, handle);
          const again = await startCommon(on, machine);
          assert.equal(await on.driver.recover(machine, again.handle), 'running');
          return;
        }
        // Virtual hardware starts anew within the same processes.
        await common(on);
        assert.equal(await on.driver.recover(machine, handle), 'running');
      });
    }

    step('does not tell a listener that has stopped listening', [], async (t, on) => {
      const { machine, handle } = await started(t, on);
      let told = 0;
      on.driver.onExit(machine, handle, () => {
        told += 1;
      })();
      let other = 0;
      on.driver.onExit(machine, handle, () => {
        other += 1;
      });
      await on.driver.remove(machine, handle);
      await eventually('the other listener was called', () => other > 0);
      assert.equal(told, 0);
    });

    step('tells at once of a machine that has ended before', [], async (t, on) => {
      const { machine, handle } = await started(t, on);
      await on.driver.remove(machine, handle);
      let told = 0;
      on.driver.onExit(machine, handle, () => {
        told += 1;
      });
      await eventually('the listener was called', () => told > 0);
      assert.equal(told, 1);
    });

    step('counts no processes of a guest that cannot be asked, instead of none', [], async (t, on) => {
      const { machine, handle } = await prepared(t, on);
      assert.notEqual((await on.driver.usage(machine, handle)).processes, 0);
    });

    step('reports what a guest uses', [], async (_t, on) => {
      const { machine, handle } = await common(on);
      const usage = await on.driver.usage(machine, handle);
      assert.ok((usage.processes ?? 0) >= 1);
      assert.ok(usage.memory > 0);
      assert.ok(usage.cpuSeconds >= 0);
    });

    step('runs a command and gives its exit code and both streams', ['exec'], async (_t, on) => {
      const made = await common(on);
      const result = await execIn(on, made, ['sh', '-c', 'echo out; echo err >&2; exit 7']);
      assert.deepEqual(result, { code: 7, stdout: 'out\n', stderr: 'err\n' });
      assert.equal((await execIn(on, made, ['echo', '$HOME;', "it's", ''])).stdout, "$HOME; it's \n");
    });

    step('says 127 for a program that does not exist', ['exec'], async (_t, on) => {
      const made = await common(on);
      assert.equal((await execIn(on, made, ['no-such-program'])).code, 127);
    });

    step('runs a command of many words', ['exec'], async (_t, on) => {
      const made = await common(on);
      const words = Array.from({ length: 400 }, (_, index) => `word ${index} "'$`);
      const { code, stdout } = await execIn(on, made, ['echo', ...words]);
      assert.equal(code, 0);
      assert.equal(stdout, `${words.join(' ')}\n`);
      assert.equal((await execIn(on, made, ['true'])).code, 0);
    });

    step('passes binary input and output of a megabyte unchanged', ['exec'], async (_t, on) => {
      const made = await common(on);
      const ability = on.driver.exec;
      assert.ok(ability !== undefined);
      const content = Buffer.alloc(1024 * 1024, Buffer.from([...Array(251).keys()]));
      const session = await ability.exec(made.machine, made.handle, request(['cat']));
      const written = session.stdin.end(content);
      assert.ok(written);
      const [echoed, code] = await within(
        60_000,
        'cat',
        Promise.all([readAll(session.stdout), session.exit]),
      );
      assert.equal(code, 0);
      assert.ok(echoed.equals(content));
    });

    step('gives a command its environment, folder and user', ['exec'], async (_t, on) => {
      const made = await common(on);
      const environment = await execIn(on, made, ['env'], { env: { GREETING: 'hello world' } });
      assert.match(environment.stdout, /^GREETING=hello world$/m);
      assert.match(environment.stdout, /^PATH=/m);
      assert.equal((await execIn(on, made, ['pwd'], { cwd: '/etc' })).stdout, '/etc\n');
      assert.equal((await execIn(on, made, ['id', '-u'])).stdout, '0\n');
      assert.equal((await execIn(on, made, ['id', '-u'], { user: '1234' })).stdout, '1234\n');
    });

    step('refuses a user that the guest does not know', ['exec'], async (_t, on) => {
      const made = await common(on);
      const ability = on.driver.exec;
      assert.ok(ability !== undefined);
      await assert.rejects(
        ability.exec(made.machine, made.handle, request(['id'], { user: 'nobody-here' })),
        hasCode('not_found'),
      );
    });

    step('sends a signal to a command and reports it as 128 and its number', ['exec'], async (_t, on) => {
      const made = await common(on);
      const ability = on.driver.exec;
      assert.ok(ability !== undefined);
      const script = 'echo ready; exec sleep 60';
      const session = await ability.exec(made.machine, made.handle, request(['sh', '-c', script]));
      // What came with the command's begin is read at once: whoever waits for it comes first.
      const first = new Promise((resolve) => session.stdout.once('data', resolve));
      const output = readAll(session.stdout);
      const errors = session.stderr === undefined ? undefined : readAll(session.stderr);
      await within(20_000, 'the first output', first);
      session.signal('SIGKILL');
      assert.equal(await within(20_000, 'the end after SIGKILL', session.exit), 137);
      session.close();
      await Promise.allSettled([output, errors]);
    });

    step('runs several commands at once', ['exec'], async (_t, on) => {
      const made = await common(on);
      const numbers = [1, 2, 3, 4, 5];
      const results = await Promise.all(numbers.map((n) => execIn(on, made, ['echo', String(n)])));
      assert.deepEqual(
        results.map((result) => result.stdout),
        numbers.map((n) => `${n}\n`),
      );
    });

    step('closes a command without leaving it behind', ['exec'], async (_t, on) => {
      const made = await common(on);
      const ability = on.driver.exec;
      assert.ok(ability !== undefined);
      const session = await ability.exec(made.machine, made.handle, request(['sleep', '61']));
      session.stdout.resume();
      session.stderr?.resume();
      session.close();
      session.close();
      await within(20_000, 'the end of a closed command', session.exit);
      const after = await execIn(on, made, ['echo', 'well']);
      assert.deepEqual(after, { code: 0, stdout: 'well\n', stderr: '' });
    });

    step('gives a command a terminal of the asked size', ['exec', 'tty'], async (_t, on) => {
      const made = await common(on);
      const ability = on.driver.exec;
      assert.ok(ability !== undefined);
      const rounds = 40;
      const script = `tty; stty size; ${'read line; stty size; '.repeat(rounds)}exit 5`;
      const session = await ability.exec(
        made.machine,
        made.handle,
        request(['sh', '-c', script], {
          tty: true,
          window: { columns: 91, rows: 31 },
        }),
      );
      assert.equal(session.stderr, undefined);
      let shown = '';
      session.stdout.on('data', (part: Buffer) => {
        shown += part.toString();
      });
      await eventually('the first size', () => shown.includes('31 91'), 20_000);
      assert.match(shown, /\/dev\/(pts|tty)/);
      session.resize({ columns: 120, rows: 40 });
      // The size may reach the guest a little later than input: it is asked for again and again.
      let asked = 0;
      const ask = (): void => {
        asked += 1;
        session.stdin.write('\r');
      };
      await eventually('the second size', () => {
        if (asked < rounds) ask();
        return shown.includes('40 120');
      });
      while (asked < rounds) ask();
      assert.equal(await within(20_000, 'the end of a terminal command', session.exit), 5);
      session.close();
    });

    step('attaches several consoles at once and detaches one alone', ['console', 'exec'], async (_t, on) => {
      const made = await common(on);
      const ability = on.driver.console;
      assert.ok(ability !== undefined);
      const shown = ['', ''];
      const consoles = await Promise.all(
        shown.map(() => ability.openConsole(made.machine, made.handle, { columns: 80, rows: 24 })),
      );
      consoles.forEach((duplex, index) => {
        duplex.on('data', (part: Buffer) => {
          shown[index] += part.toString();
        });
        duplex.on('error', () => undefined);
      });
      await execIn(on, made, ['sh', '-c', 'echo to-both > /dev/console']);
      await eventually('both show it', () => shown.every((text) => text.includes('to-both')), 20_000);
      consoles[0]?.destroy();
      await execIn(on, made, ['sh', '-c', 'echo to-one > /dev/console']);
      await eventually('the other still shows', () => shown[1]?.includes('to-one') === true, 20_000);
      assert.equal(await on.driver.recover(made.machine, made.handle), 'running');
      consoles[1]?.destroy();
    });

    step(
      'gives the console the size of the terminal, where it has one',
      ['console', 'exec'],
      async (t, on) => {
        const made = await common(on);
        const stream = await on.driver.console?.openConsole(made.machine, made.handle, {
          columns: 81,
          rows: 25,
        });
        t.after(() => stream?.destroy());
        if (stream?.resize === undefined)
          return t.skip('this console has no size, as a serial line has none');
        const size = async (): Promise<string> =>
          (await execIn(on, made, ['sh', '-c', 'stty size < /dev/console'])).stdout.trim();
        await eventually('the first size', async () => (await size()) === '25 81');
        stream.resize({ columns: 132, rows: 43 });
        await eventually('the next size', async () => (await size()) === '43 132');
      },
    );

    step(
      'ends a command at the end of its input on a terminal, and shows no sign of it',
      ['tty'],
      async (_t, on) => {
        const made = await common(on);
        const shown = await execIn(on, made, ['sh', '-c', 'cat; echo over'], { tty: true });
        assert.equal(shown.code, 0);
        assert.match(shown.stdout, /^\s*over\s*$/);
      },
    );

    step('pushes, lists and pulls a file of any bytes', ['files'], async (_t, on) => {
      const made = await common(on);
      const files = on.driver.files;
      assert.ok(files !== undefined);
      const content = Buffer.alloc(300_000, Buffer.from([0, 10, 13, 255, 39, 92, 128, 4]));
      await files.push(made.machine, made.handle, '/root/a file', ReadableStream.from([content]), 0o640);
      const pulled = await readAll(await files.pull(made.machine, made.handle, '/root/a file'));
      assert.ok(pulled.equals(content));
      const entry = (await files.list(made.machine, made.handle, '/root')).find(
        (found) => found.name === 'a file',
      );
      assert.equal(entry?.type, 'file');
      assert.equal(entry?.size, content.length);
      assert.equal(entry?.mode, 0o640);
      assert.equal(entry?.uid, 0);
      await files.push(made.machine, made.handle, '/root/a file', ReadableStream.from([]), 0o600);
      assert.equal((await readAll(await files.pull(made.machine, made.handle, '/root/a file'))).length, 0);
    });

    step('names the missing file, and refuses a folder in the place of a file', ['files'], async (_t, on) => {
      const made = await common(on);
      const files = on.driver.files;
      assert.ok(files !== undefined);
      const { machine, handle } = made;
      await assert.rejects(files.pull(machine, handle, '/no/such/file'), hasCode('not_found'));
      await assert.rejects(files.list(machine, handle, '/no/such/folder'), hasCode('not_found'));
      await assert.rejects(files.pull(machine, handle, '/etc'), hasCode('invalid_request'));
      await assert.rejects(
        files.push(machine, handle, '/etc', ReadableStream.from([Buffer.from('x')]), 0o644),
        hasCode('invalid_request'),
      );
      await assert.rejects(
        files.push(machine, handle, '/no/such/file', ReadableStream.from([Buffer.from('x')]), 0o644),
        hasCode('not_found'),
      );
    });

    step('pauses and resumes, each twice', ['pause'], async (_t, on) => {
      const { machine, handle } = await common(on);
      const ability = on.driver.pause;
      assert.ok(ability !== undefined);
      await ability.pause(machine, handle);
      await ability.pause(machine, handle);
      assert.equal(await on.driver.recover(machine, handle), 'paused');
      await ability.resume(machine, handle);
      await ability.resume(machine, handle);
      assert.equal(await on.driver.recover(machine, handle), 'running');
    });

    step('removes a paused machine', ['pause'], async (t, on) => {
      const { machine, handle } = await started(t, on);
      await on.driver.pause?.pause(machine, handle);
      await within(20_000, 'the removal', on.driver.remove(machine, handle));
      assert.equal(await on.driver.recover(machine, handle), 'gone');
    });

    step('changes the limits of a running guest', ['liveMemory'], async (_t, on) => {
      const { machine, handle } = await common(on);
      const { limits } = machine;
      const memory = async (): Promise<number> => {
        if (on.memoryOf !== undefined) return on.memoryOf(machine);
        const { stdout } = await execIn(on, { machine, handle }, ['cat', '/proc/meminfo']);
        return Number(/^MemTotal: +(\d+) kB$/m.exec(stdout)?.[1]) * 1024;
      };
      // A guest's kernel keeps some of it for itself.
      const isNear = async (bytes: number): Promise<boolean> => {
        const now = await memory();
        return now > 0.7 * bytes && now <= bytes;
      };
      assert.ok(await isNear(limits.memory), `${await memory()} of ${limits.memory}`);
      const double = limits.memory * 2;
      await on.driver.limits?.setLimits(machine, handle, { ...limits, memory: double });
      await eventually('it has twice the memory', () => isNear(double), 20_000);
      await on.driver.limits?.setLimits(machine, handle, limits);
      await eventually('it has its memory again', () => isNear(limits.memory), 20_000);
      assert.equal(await on.driver.recover(machine, handle), 'running');
    });

    step('shows on the log what the guest wrote on its console', ['logs', 'exec'], async (t, on) => {
      const made = await common(on);
      const ability = on.driver.logs;
      assert.ok(ability !== undefined);
      const controller = new AbortController();
      t.after(() => controller.abort());
      const follow = await ability.readLogs(made.machine, { follow: true, signal: controller.signal });
      let shown = '';
      follow.on('data', (part: Buffer) => {
        shown += part.toString();
      });
      const written = await execIn(on, made, ['sh', '-c', 'echo shown-on-console > /dev/console']);
      assert.equal(written.code, 0, written.stderr);
      await eventually('the followed log shows it', () => shown.includes('shown-on-console'), 20_000);
      const ended = new Promise((resolve) => follow.once('close', resolve));
      await on.driver.remove(made.machine, made.handle);
      await within(20_000, 'the end of the followed log', ended);
      const still = await ability.readLogs(made.machine, {
        follow: false,
        lines: 100,
        signal: controller.signal,
      });
      assert.match((await readAll(still)).toString(), /shown-on-console/);
    });

    /** A guest that boots by a loader of its own, from its first instruction on. */
    const foreign = async (t: TestContext, on: DriverFixture) => {
      const machine = await on.foreign?.machine();
      if (machine === undefined)
        throw new Error('the driver declares a display, and its fixture no guest with one');
      t.after(() => on.driver.remove(machine, undefined));
      await on.driver.populate(machine);
      const { handle } = await on.driver.prepare(machine);
      await on.driver.start(machine, handle);
      return { machine, handle };
    };

    step('says of guests that boot by themselves what they lack', ['display'], async (_t, on) => {
      const { driver, technique } = on;
      const parts = driver.foreign?.(technique) ?? [];
      assert.ok(parts.length > 0, 'a display without guests that have one');
      for (const part of parts) {
        const { exec, files, health, display } = driver.features(technique, [part]);
        assert.deepEqual(
          { exec, files, health, display },
          {
            exec: false,
            files: false,
            health: false,
            display: true,
          },
        );
      }
      assert.equal(driver.features(technique, driver.needs(technique)).display, false);
    });

    step('shows its screen as a picture, and to several viewers at once', ['display'], async (t, on) => {
      const { machine, handle } = await foreign(t, on);
      for (const open of [() => on.driver, () => on.reopen()]) {
        const { display } = open();
        assert.ok(display !== undefined);
        const picture = await display.screenshot(machine, handle);
        assert.equal(picture.toString('latin1', 1, 4), 'PNG');
        assert.ok(picture.readUInt32BE(16) >= 640 && picture.readUInt32BE(20) >= 350);
        const viewers = await Promise.all([0, 1].map(() => display.openDisplay(machine, handle)));
        for (const viewer of viewers) {
          t.after(() => viewer.destroy());
          const version = await within(20_000, 'a version', new Promise((seen) => viewer.once('data', seen)));
          assert.equal(String(version), 'RFB 003.008\n');
        }
        viewers[0]?.destroy();
        assert.equal((await display.screenshot(machine, handle)).toString('latin1', 1, 4), 'PNG');
      }
    });

    step('has a guest that no agent reaches switch itself off', ['display', 'logs'], async (t, on) => {
      const { machine, handle } = await foreign(t, on);
      const ends: MachineEnd[] = [];
      on.driver.onExit(machine, handle, (end) => ends.push(end));
      const { signal } = new AbortController();
      await eventually(
        'its console says that it is up',
        async () => {
          const log = await on.driver.logs?.readLogs(machine, { follow: false, signal });
          return log !== undefined && on.foreign?.up.test((await readAll(log)).toString()) === true;
        },
        on.patience.ready,
      );
      assert.equal(await on.driver.shutdown(machine, handle, on.patience.stop), true);
      await eventually('its end is told', () => ends.length > 0);
      assert.equal(ends[0]?.kind, 'poweroff');
    });

    step('passes the environment to the first process', ['environment', 'exec'], async (t, on) => {
      const made = await running(t, on, { env: { FROM_LAUNCH: 'yes' } });
      const found = await execIn(on, made, ['sh', '-c', 'cat /proc/1/environ']);
      assert.match(found.stdout, /FROM_LAUNCH=yes/);
    });
  });
}
