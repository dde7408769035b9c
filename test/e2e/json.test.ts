import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import type { Command } from '../../src/cli/command.ts';
import { loadAll } from '../../src/cli/help/show.ts';
import { COMMAND_NAMES, type CommandName } from '../../src/cli/registry.ts';
import { ApiWorld } from '../support/api-world.ts';
import { type CommandOptions, type CommandResult, runCommand } from '../support/command.ts';
import { LAUNCHER } from '../support/daemon.ts';

/** What changes this machine or takes minutes has its documents read by a test of its own. */
const ELSEWHERE: Partial<Record<CommandName, string>> = {
  quickstart: 'test/e2e/quickstart.test.ts',
  compare: 'test/e2e/compare.test.ts',
};
const FailureSchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), remedy: z.string(), details: z.looseObject({}) }),
});
const IdSchema = z.object({ id: z.string() });

/** Nothing answers there. */
const nowhere = (args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> =>
  runCommand([LAUNCHER, ...args], { ...options, env: { MULLION_RUN_DIR: '/nonexistent' } });

/** The one document that standard output must hold. */
function documentOf({ stdout }: CommandResult): unknown {
  assert.match(stdout, /^[^\n]+\n$/, `not one line: ${stdout}`);
  return JSON.parse(stdout);
}

/** A word for each argument. */
const anyWords = ({ arguments: expected }: Command): string[] =>
  Object.values(expected).map(({ arity }) => (arity === 'rest' ? 'true' : 'x'));

test('every command prints one JSON document when it is done', async () => {
  await using api = await ApiWorld.start();
  const { world } = api;
  const folder = join(world.scratch.path, 'local');
  mkdirSync(folder);
  const file = (name: string): string => join(folder, name);
  writeFileSync(file('page'), 'hello\n');
  world.images.add('foreign/1', 'default', ['boot-disk']);

  const done = new Set<CommandName>();
  const run = async (name: CommandName, ...args: string[]): Promise<unknown> => {
    done.add(name);
    const argv = [LAUNCHER, ...name.split(' '), ...args, '--json'];
    const result = await runCommand(argv, { env: { MULLION_URL: `unix:${api.socketPath}` } });
    assert.equal(result.code, 0, `mullion ${name}: ${result.stdout}${result.stderr}`);
    return documentOf(result);
  };

  await run('launch', 'debian/12', 'web', '--technique', 'os');
  await run('launch', 'foreign/1', 'installer', '--technique', 'full');
  await run('list');
  await run('info', 'web');
  for (const name of ['pause', 'resume', 'restart', 'stop', 'start'] as const) await run(name, 'web');
  await run('set', 'web', 'cpus=2');
  await run('screenshot', 'installer', file('screen.png'));
  assert.deepEqual(Object.keys(z.looseObject({}).parse(await run('logs', 'web'))), ['name', 'log']);
  await run('top', '--interval', '0.2');

  await run('file push', 'web', file('page'), '/root/page');
  await run('file list', 'web', '/root');
  await run('file pull', 'web', '/root/page', file('pulled'));
  await run('forward add', 'web', '8080:80');
  await run('forward list', 'web');
  await run('forward remove', 'web', '8080');
  await run('snapshot create', 'web', 'before');
  await run('snapshot list', 'web');
  await run('snapshot restore', 'web', 'before');
  await run('snapshot delete', 'web', 'before');
  await run('copy', 'web', 'twin');
  await run('rename', 'twin', 'other');
  await run('convert', 'other', '--technique', 'full');

  await run('image list');
  await run('image build', 'mine/1');
  await run('image import', file('page'), 'imported');
  await run('image export', 'debian/12', file('exported'));
  await run('image publish', 'web', 'published');
  await run('image info', 'published');
  await run('image delete', 'published');

  await run('backup repo add', 'nas', file('repository'));
  await run('backup repo list');
  await run('backup repo key', 'nas');
  await run('backup create', 'web');
  const [backup] = z.array(IdSchema).parse(await run('backup list'));
  assert.ok(backup !== undefined);
  await run('backup verify', backup.id);
  await run('backup restore', backup.id, 'again');
  await run('backup schedule set', 'web', '--at', 'daily 02:00', '--keep-last', '2');
  await run('backup schedule show', 'web');
  await run('backup schedule remove', 'web');
  await run('backup delete', backup.id);
  await run('backup repo remove', 'nas');

  await run('network create', 'back');
  await run('network list');
  await run('network info', 'back');
  await run('network delete', 'back');
  await run('firewall create', 'guard');
  await run('firewall rule add', 'guard', 'in', '--protocol', 'tcp', '--port', '80');
  await run('firewall rule remove', 'guard', '1');
  await run('firewall join', 'guard', 'web');
  await run('firewall list');
  await run('firewall info', 'guard');
  await run('firewall leave', 'guard', 'web');
  await run('firewall delete', 'guard');
  await run('project create', 'shop');
  await run('project list');
  await run('project info', 'shop');
  await run('project delete', 'shop');
  await run('pool list');
  await run('pool info', 'default');
  await run('pool grow', 'default', '200G');
  await run('pool check', 'default');

  const endless = IdSchema.parse(await run('image build', 'endless', '--no-wait'));
  await run('task list');
  await run('task info', endless.id);
  await run('task cancel', endless.id);
  await run('events');
  await run('techniques');
  await run('doctor');
  await run('audit');
  await run('token create', 'ci');
  await run('token list');
  await run('token delete', 'ci');
  await run('daemon status');
  // One that answers is left alone, and none is stopped where none answers.
  await run('daemon start');
  done.add('daemon stop');
  assert.deepEqual(documentOf(await nowhere(['daemon', 'stop', '--json'])), { stopped: false });
  await run('version');
  await run('help');
  await run('delete', 'web', 'other', 'again', 'installer', '--force');

  const refuse = (await loadAll()).filter(([, { withoutJson }]) => withoutJson !== undefined);
  const seen = [...done, ...refuse.map(([name]) => name), ...Object.keys(ELSEWHERE)];
  assert.deepEqual(seen.sort(), [...COMMAND_NAMES].sort());
});

test('a command that has no JSON refuses it, and its page says why', async () => {
  const refuse = (await loadAll()).filter(([, { withoutJson }]) => withoutJson !== undefined);
  assert.ok(refuse.length > 0);
  for (const [name, command] of refuse) {
    const reason = command.withoutJson ?? '';
    const result = await nowhere([...name.split(' '), '--json', ...anyWords(command)]);
    assert.equal(result.code, 2, name);
    const { error } = FailureSchema.parse(documentOf(result));
    assert.equal(error.message, `${name} cannot print JSON: ${reason}.`);
    const page = (await nowhere([...name.split(' '), '--help'])).stdout.replace(/\s+/g, ' ');
    assert.ok(page.includes(`--json refused: ${reason}`), page);
  }
});

test('a command whose file goes to standard output has no room there for JSON', async () => {
  for (const args of [
    ['file', 'pull', 'web', '/etc/hostname', '-'],
    ['screenshot', 'web', '-'],
    ['image', 'export', 'debian/12', '-'],
    ['backup', 'restore', '0123456789ab', '--file', '/etc/hostname', '--to', '-'],
  ]) {
    const result = await nowhere([...args, '--json']);
    assert.equal(result.code, 2, args.join(' '));
    assert.match(FailureSchema.parse(documentOf(result)).error.message, /no room for JSON/);
  }
});

test('a failure is a document where JSON is asked for, and text where the flag is the guest command’s', async () => {
  for (const args of [
    ['list', '--json'],
    ['--json', 'list'],
    ['lunch', '--json'],
    ['launch', '--memry', '1G', '--json'],
    ['file', '--json'],
    ['--json'],
  ]) {
    const result = await nowhere(args);
    assert.ok(result.code === 2 || result.code === 6, args.join(' '));
    assert.equal(result.stderr, '', args.join(' '));
    FailureSchema.parse(documentOf(result));
  }
  for (const args of [
    ['exec', 'web', 'ls', '--json'],
    ['exec', '--env', 'A=1', 'web', 'ls', '--json'],
    ['exec', 'web', '--', 'ls', '--json'],
  ]) {
    const { code, stdout, stderr } = await nowhere(args);
    assert.equal(code, 6, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, /^error: /);
  }
});

test('help is data with --json, of one command, of a group and of all', async () => {
  const NameSchema = z.looseObject({ name: z.string(), flags: z.array(z.looseObject({ name: z.string() })) });
  const one = NameSchema.parse(documentOf(await nowhere(['launch', '--help', '--json'])));
  assert.ok(one.flags.some(({ name }) => name === 'memory'));
  assert.deepEqual(documentOf(await nowhere(['help', 'launch', '--json'])), one);
  const namesOf = async (...args: string[]) =>
    z
      .array(NameSchema)
      .parse(documentOf(await nowhere([...args, '--json'])))
      .map(({ name }) => name);
  assert.deepEqual(await namesOf('help'), COMMAND_NAMES);
  assert.deepEqual(await namesOf('--help'), COMMAND_NAMES);
  assert.deepEqual(await namesOf('help', 'file'), ['file push', 'file pull', 'file list']);
});

test('a log that is followed is printed as it comes, one document a line', async () => {
  await using api = await ApiWorld.start();
  const env = { MULLION_URL: `unix:${api.socketPath}` };
  const launched = await runCommand([LAUNCHER, 'launch', 'debian/12', 'web', '--technique', 'os'], { env });
  assert.equal(launched.code, 0, launched.stderr);
  const first = Promise.withResolvers<string>();
  const followed = runCommand([LAUNCHER, 'logs', 'web', '--follow', '--json'], {
    env,
    onStart: (child) => {
      child.stdout?.once('data', (piece: string | Buffer) => first.resolve(String(piece)));
      child.once('exit', () => first.reject(new Error('it ended and printed nothing before')));
    },
  });
  // The VPS runs on: the log has no end yet.
  const PieceSchema = z.object({ name: z.literal('web'), log: z.string().min(1) });
  PieceSchema.parse(JSON.parse((await first.promise).split('\n')[0] ?? ''));
  assert.equal((await runCommand([LAUNCHER, 'stop', 'web'], { env })).code, 0);
  const { code, stdout } = await followed;
  assert.equal(code, 0);
  const pieces = stdout
    .trimEnd()
    .split('\n')
    .map((line) => PieceSchema.parse(JSON.parse(line)).log);
  assert.match(pieces.join(''), /web is up/);
});

test('a command that moves a file itself refuses not to wait', async () => {
  for (const args of [
    ['image', 'export', 'debian/12', '/nonexistent/file'],
    ['image', 'import', '/etc/hostname', 'mine'],
    ['image', 'import', 'https://example.org/disk.raw', 'mine'],
    ['compare'],
  ]) {
    const { code, stderr } = await nowhere([...args, '--no-wait']);
    assert.equal(code, 2, args.join(' '));
    assert.match(stderr, /leave --no-wait out/);
  }
});
