import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, readFileSync, readSync, writeSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostFacts } from '../../src/host/facts.ts';
import { lockFile } from '../../src/host/locks.ts';
import { linkStatistics } from '../../src/host/net-links.ts';
import { peerCredentials, peerGroups } from '../../src/host/peers.ts';
import { openTap } from '../../src/host/tap.ts';
import { openTerminal, setWindow } from '../../src/host/terminals.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { scratchDirectory } from '../support/scratch.ts';

if (enterPrivateNetns(import.meta.url)) {
  test('a tap exists while its descriptor is open, and its traffic is counted', (t) => {
    if (!existsSync('/dev/net/tun')) return t.skip('no /dev/net/tun');
    const tap = openTap('mvtest-0');
    try {
      execFileSync('ip', ['link', 'set', 'mvtest-0', 'up']);
      const before = linkStatistics('mvtest-0');
      assert.ok(before !== undefined);
      const frame = Buffer.concat([
        Buffer.alloc(10),
        Buffer.alloc(12, 0xff),
        Buffer.from([0x08, 0x06]),
        Buffer.alloc(46),
      ]);
      assert.equal(writeSync(tap, frame), frame.length);
      assert.ok((linkStatistics('mvtest-0')?.rxBytes ?? 0) >= before.rxBytes + 60);
      assert.throws(() => openTap('mvtest-0'), { code: 'EBUSY' });
      const inherited = readFileSync(`/proc/self/fdinfo/${tap}`, 'utf8');
      assert.equal(
        (Number.parseInt(/flags:\s+(\d+)/.exec(inherited)?.[1] ?? '0', 8) & 0o2000000) !== 0,
        true,
      );
    } finally {
      closeSync(tap);
    }
    assert.equal(linkStatistics('mvtest-0'), undefined);
  });

  test('a name that no link can have is refused', () => {
    for (const name of ['', 'sixteen-letters-']) assert.throws(() => openTap(name), TypeError);
  });

  test('a terminal has the size it was given and takes another', () => {
    const { master, slavePath } = openTerminal({ columns: 132, rows: 43 });
    try {
      const size = (): string => execFileSync('stty', ['-F', slavePath, 'size'], { encoding: 'utf8' }).trim();
      assert.equal(size(), '43 132');
      setWindow(master, { columns: 80, rows: 24 });
      assert.equal(size(), '24 80');
      const written = spawnSync('sh', ['-c', `printf hello > ${slavePath}`]);
      assert.equal(written.status, 0);
    } finally {
      closeSync(master);
    }
  });

  test('what is written to the slave is read from the master', async () => {
    const { master, slavePath } = openTerminal({ columns: 80, rows: 24 });
    try {
      const child = spawn('sh', ['-c', `exec 1>${slavePath}; printf hello; exec sleep 60`], {
        stdio: 'ignore',
      });
      try {
        const text = Buffer.alloc(16);
        assert.equal(text.toString('utf8', 0, readSync(master, text)), 'hello');
      } finally {
        child.kill('SIGKILL');
      }
    } finally {
      closeSync(master);
    }
  });

  test('the peer of a Unix socket is known with its groups', async () => {
    using scratch = scratchDirectory('peers');
    const path = join(scratch.path, 's');
    const server = createServer();
    server.listen(path);
    await once(server, 'listening');
    const groups = Array.from({ length: 100 }, (_, index) => 5000 + index);
    execFileSync('chmod', ['0755', scratch.path]);
    execFileSync('chmod', ['0666', path]);
    const script = `const { connect } = require('node:net');
      process.setgroups(${JSON.stringify(groups)}); process.setgid(4321); process.setuid(1234);
      connect(process.argv[1]).on('data', () => process.exit());`;
    const client = spawn(process.execPath, ['-e', script, path], { stdio: 'inherit' });
    try {
      const [socket] = (await once(server, 'connection')) as [Socket];
      const fd = descriptor(socket);
      assert.deepEqual(peerCredentials(fd), { pid: client.pid, uid: 1234, gid: 4321 });
      assert.deepEqual(peerGroups(fd).sort(), groups);
      const exited = once(client, 'exit');
      socket.end('x');
      await exited;
    } finally {
      client.kill('SIGKILL');
      server.close();
    }
  });

  test('a lock is held by one, and goes when its holder is killed', async () => {
    using scratch = scratchDirectory('locks');
    const path = join(scratch.path, 'daemon.lock');
    const first = lockFile(path);
    assert.ok(first !== undefined);
    assert.equal(lockFile(path), undefined);
    first.release();
    first.release();
    const module = new URL('../../src/host/locks.ts', import.meta.url).href;
    const script = `import { lockFile } from '${module}'; lockFile('${path}'); console.log('held'); setInterval(() => 0, 1000);`;
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    assert.equal(lockFile(path), undefined);
    const exited = once(holder, 'exit');
    holder.kill('SIGKILL');
    await exited;
    const second = lockFile(path);
    assert.ok(second !== undefined);
    second.release();
  });

  test('the facts of this host are those that its tools tell', () => {
    const facts = hostFacts();
    const told = (argv: string[]): string =>
      execFileSync(argv[0] ?? '', argv.slice(1), { encoding: 'utf8' }).trim();
    assert.equal(facts.kernel, told(['uname', '-r']));
    assert.equal(facts.architecture, told(['dpkg', '--print-architecture']));
    assert.equal(facts.memoryTotal, Number(/^Mem:\s+(\d+)/m.exec(told(['free', '-b']))?.[1]));
    assert.ok(facts.memoryAvailable > 0 && facts.memoryAvailable <= facts.memoryTotal);
    assert.equal(facts.cpus, Number(told(['nproc'])));
    assert.match(facts.bootId, /^[0-9a-f-]{36}$/);
    assert.notEqual(facts.distribution, 'unknown');
  });
}

/** Node has no public way to a socket's descriptor. */
function descriptor(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle');
  assert.ok(typeof handle === 'object' && handle !== null && 'fd' in handle && typeof handle.fd === 'number');
  return handle.fd;
}
