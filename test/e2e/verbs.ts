import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Vps, VpsInfo } from '../../src/contract/vps.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/scratch.ts';
import type { VpsDoor } from '../support/vps-door.ts';

export const listVps = async (daemon: VpsDoor): Promise<Vps[]> => daemon.client.call('vps.list');
export const infoOf = (daemon: VpsDoor, name: string): Promise<VpsInfo> =>
  daemon.client.call('vps.info', { params: { name } });

export async function stateOf(daemon: VpsDoor, name: string): Promise<string> {
  return (await infoOf(daemon, name)).state;
}

/** Seconds since the guest's first process began, by the guest's own account. */
export async function firstProcessAge(daemon: VpsDoor, name: string): Promise<number> {
  return Number(await daemon.inside(name, 'ps -o etimes= -p 1'));
}

/** Every verb of a VPS that runs, whatever its technique; `patience` stretches the waits of slow ones. */
export async function checkVerbs(
  t: TestContext,
  daemon: VpsDoor,
  name: string,
  patience: number,
): Promise<void> {
  const timeoutMs = 60_000 * patience;

  await daemon.check(t, 'list and info tell what CLI.md promises', async () => {
    const listed: unknown = JSON.parse(await daemon.ok(['list', '--json']));
    assert.ok(Array.isArray(listed));
    const vps: unknown = listed.find((entry: { name: string }) => entry.name === name);
    assert.ok(typeof vps === 'object' && vps !== null);
    const promised =
      'name project technique driver image state addresses cpus memory disk createdAt startedAt node'.split(
        ' ',
      );
    assert.deepEqual(
      promised.filter((key) => !(key in vps)),
      [],
    );
    const info: unknown = JSON.parse(await daemon.ok(['info', name, '--json']));
    assert.ok(typeof info === 'object' && info !== null);
    for (const key of ['usage', 'limits', 'snapshots', 'forwards']) assert.ok(key in info, key);
  });

  await daemon.check(t, 'systemd is the first process and the system is up', async () => {
    await eventually(
      'systemd says running',
      async () => {
        const { stdout } = await daemon.cli(['exec', name, '--', 'systemctl', 'is-system-running'], {
          timeoutMs,
        });
        return ['running', 'degraded'].includes(stdout.trim());
      },
      timeoutMs,
    );
    assert.equal(await daemon.inside(name, 'cat /proc/1/comm'), 'systemd');
    assert.equal(await daemon.inside(name, 'systemctl is-system-running || true'), 'running');
    assert.equal(await daemon.inside(name, 'hostname'), name);
  });

  await daemon.check(t, 'its network service agrees with the addresses and routes it was given', async () => {
    await daemon.inside(
      name,
      '/lib/systemd/systemd-networkd-wait-online --interface=eth0 --timeout=20 && networkctl --no-pager status eth0 | grep -F "(configured)"',
      { timeoutMs },
    );
    assert.equal(await daemon.inside(name, 'ip -4 route show default | wc -l', { timeoutMs }), '1');
  });

  await daemon.check(t, 'exec keeps the streams apart and hands on the exit code', async () => {
    const result = await daemon.cli(['exec', name, '--', 'sh', '-c', 'cat; echo err >&2; exit 7'], {
      stdin: 'over\nthere\n',
      timeoutMs,
    });
    assert.deepEqual([result.code, result.stdout, result.stderr], [7, 'over\nthere\n', 'err\n']);
  });

  await daemon.check(t, 'exec carries a megabyte through unchanged', async () => {
    const text = Array.from(
      { length: 20_000 },
      (_, index) => `line ${index} of a larger stream, to be counted\n`,
    ).join('');
    const result = await daemon.cli(['exec', name, '--', 'cat'], { stdin: text, timeoutMs });
    assert.equal(result.code, 0, result.stderr);
    assert.equal(result.stdout.length, text.length);
    assert.ok(result.stdout === text);
  });

  await daemon.check(t, 'exec hands on many small pieces of both streams while input comes', async () => {
    const numbers = Array.from({ length: 9 }, (_, index) => `${index + 1}\n`).join('');
    const script = `cat; for n in ${numbers.trim().replaceAll('\n', ' ')}; do echo $n; echo $n >&2; done; yes | head -c 5000`;
    for (let round = 0; round < 12; round += 1) {
      const result = await daemon.cli(['exec', name, '--', 'sh', '-c', script], { stdin: 'in\n', timeoutMs });
      assert.deepEqual(
        { ...result, milliseconds: 0 },
        { milliseconds: 0, code: 0, stdout: `in\n${numbers}${'y\n'.repeat(2500)}`, stderr: numbers },
      );
    }
  });

  await daemon.check(t, 'exec obeys --env, --cwd and --user', async () => {
    const flags = ['--env', 'GREETING=hello there', '--cwd', '/usr', '--user', 'nobody'];
    const out = await daemon.ok([
      'exec',
      name,
      ...flags,
      '--',
      'sh',
      '-c',
      'echo "$GREETING $PWD $(id -un)"',
    ]);
    assert.equal(out, 'hello there /usr nobody\n');
  });

  await daemon.check(t, 'exec of a program that is not there exits 127', async () => {
    assert.equal((await daemon.cli(['exec', name, '--', '/no/such/program'])).code, 127);
  });

  await daemon.check(t, 'a signal reaches the command inside', async () => {
    const script = 'trap "echo caught; exit 9" TERM; echo ready; while :; do sleep 0.1; done';
    const result = await daemon.cli(['exec', name, '--', 'sh', '-c', script], {
      timeoutMs,
      onStart: (child) => {
        child.stdout?.once('data', () => child.kill('SIGTERM'));
      },
    });
    assert.deepEqual([result.code, result.stdout], [9, 'ready\ncaught\n']);
  });

  await daemon.check(t, 'exec --tty gives the command a terminal', async () => {
    const result = await daemon.cli(['exec', name, '--tty', '--', 'sh', '-c', 'tty; stty size'], {
      stdin: 'open',
      timeoutMs,
    });
    assert.equal(result.code, 0, result.stderr);
    assert.match(result.stdout, /^\/dev\/(pts\/\d+|console|ttyS?\d+)\r?\n\d+ \d+/);
  });

  await daemon.check(t, 'files go in and come out unchanged, and folders are listed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mullion-files-'));
    try {
      const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31) % 256));
      writeFileSync(join(folder, 'in'), content);
      await daemon.ok(['file', 'push', name, join(folder, 'in'), '/root/pushed'], { timeoutMs });
      await daemon.ok(['file', 'pull', name, '/root/pushed', join(folder, 'out')], { timeoutMs });
      assert.ok(readFileSync(join(folder, 'out')).equals(content));
      assert.equal(await daemon.inside(name, 'stat -c %s /root/pushed'), '300000');
      const listed: unknown = JSON.parse(await daemon.ok(['file', 'list', name, '/root', '--json']));
      assert.ok(Array.isArray(listed) && listed.some((entry: { name: string }) => entry.name === 'pushed'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  await daemon.check(t, 'logs show what the console showed', async () => {
    await daemon.inside(name, 'echo a line for the log > /dev/console');
    await eventually(
      'the line is in the log',
      async () => (await daemon.ok(['logs', name])).includes('a line for the log'),
      timeoutMs,
    );
  });

  await daemon.check(t, 'the console answers what is typed', async () => {
    let shown = '';
    const attached = await daemon.cli(['console', name], {
      stdin: 'open',
      timeoutMs: timeoutMs,
      onStart: (child) => {
        const press = setInterval(() => child.stdin?.write('\n'), 500);
        child.stdout?.on('data', (text: string) => {
          shown += text;
          if (!/login:|[#$] /.test(shown)) return;
          clearInterval(press);
          child.stdin?.end();
          child.kill('SIGTERM');
        });
        child.once('exit', () => clearInterval(press));
      },
    });
    assert.match(attached.stdout, /login:|[#$] /);
  });

  await daemon.check(t, 'pause stops every process, and resume lets them go on', async () => {
    await daemon.ok(['pause', name]);
    assert.equal(await stateOf(daemon, name), 'paused');
    await daemon.ok(['resume', name]);
    assert.equal(await stateOf(daemon, name), 'running');
    assert.equal(await daemon.inside(name, 'echo back', { timeoutMs }), 'back');
  });
}

/** A daemon that stops leaves its VPSs alone. */
export async function checkDaemonRestart(
  t: TestContext,
  daemon: TestDaemon,
  name: string,
  patience: number,
): Promise<void> {
  const timeoutMs = 60_000 * patience;
  await daemon.check(t, 'the daemon stops, and the next one finds the VPS as it was', async () => {
    const identity = (): Promise<string> =>
      daemon.inside(name, 'cat /proc/sys/kernel/random/boot_id && cut -d" " -f22 /proc/1/stat', {
        timeoutMs,
      });
    const before = await identity();
    await daemon.stop();
    assert.doesNotMatch(readFileSync(daemon.log, 'utf8'), /ended with something open/);
    await daemon.start();
    assert.equal(await stateOf(daemon, name), 'running');
    assert.equal(await identity(), before);
  });
}

/** Of a machine that is no container it is a whole boot. */
export async function checkRestart(
  t: TestContext,
  daemon: VpsDoor,
  name: string,
  patience: number,
): Promise<void> {
  const timeoutMs = 60_000 * patience;
  await daemon.check(t, 'data, address and name survive a restart, and uptime begins anew', async () => {
    const before = await infoOf(daemon, name);
    await daemon.inside(name, 'echo kept > /root/kept && sync');
    await daemon.ok(['restart', name], { timeoutMs });
    await daemon.answers(name, timeoutMs);
    assert.equal(await daemon.inside(name, 'cat /root/kept'), 'kept');
    // ps(1) takes a start within the first second for one in the future.
    await eventually(
      'uptime began anew',
      async () => (await firstProcessAge(daemon, name)) < 60 * patience,
      10_000,
    );
    assert.deepEqual((await infoOf(daemon, name)).addresses, before.addresses);
    assert.equal(await daemon.inside(name, 'hostname'), name);
  });
}

/** What becomes of a VPS whose guest starts anew by itself, by this command. */
export async function checkOwnReboot(
  t: TestContext,
  daemon: VpsDoor,
  name: string,
  patience: number,
  command: readonly string[] = ['systemctl', 'reboot'],
): Promise<void> {
  const timeoutMs = 60_000 * patience;
  await daemon.check(t, 'a reboot of its own brings it back', async () => {
    // A machine's boot has an id of its own; a container's first process started at another time of the host.
    const told = 'cat /proc/sys/kernel/random/boot_id && cut -d" " -f22 /proc/1/stat';
    const boot = async (): Promise<string> =>
      (await daemon.cli(['exec', name, '--', 'sh', '-c', told], { timeoutMs })).stdout;
    const before = await boot();
    await daemon.cli(['exec', name, '--', ...command], { timeoutMs });
    await eventually(
      'it runs anew',
      async () => {
        const now = await boot();
        return now !== '' && now !== before;
      },
      timeoutMs,
    );
    assert.equal(await stateOf(daemon, name), 'running');
  });
}

/** What becomes of a VPS whose guest switches itself off, by this command. */
export async function checkOwnEnd(
  t: TestContext,
  daemon: VpsDoor,
  name: string,
  patience: number,
  command: readonly string[] = ['systemctl', 'poweroff'],
): Promise<void> {
  const timeoutMs = 60_000 * patience;
  await daemon.check(
    t,
    'switching itself off leaves it off, and start brings it back as it was',
    async () => {
      const before = await infoOf(daemon, name);
      await daemon.inside(name, 'echo switched off > /root/before-off');
      await daemon.cli(['exec', name, '--', ...command], { timeoutMs });
      await eventually('it is off', async () => (await stateOf(daemon, name)) === 'stopped', timeoutMs);
      assert.match((await infoOf(daemon, name)).message, /switched itself off/);
      await daemon.ok(['start', name], { timeoutMs });
      await daemon.answers(name, timeoutMs);
      assert.equal(await daemon.inside(name, 'cat /root/before-off; hostname'), `switched off\n${name}`);
      assert.deepEqual((await infoOf(daemon, name)).addresses, before.addresses);
    },
  );
}

/** The last of the verbs: what it checks leaves the VPS stopped. */
export async function checkStop(
  t: TestContext,
  daemon: VpsDoor,
  name: string,
  patience: number,
): Promise<void> {
  const timeoutMs = 60_000 * patience;
  await daemon.check(t, 'stop is graceful', async () => {
    await daemon.ok(['stop', name, '--timeout', String(60 * patience)], { timeoutMs: timeoutMs + 30_000 });
    assert.equal(await stateOf(daemon, name), 'stopped');
    assert.match(
      await daemon.ok(['logs', name]),
      /Power|System halted|Reached target|systemd-shutdown|Shutting down/i,
    );
  });
}
