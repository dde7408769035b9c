import assert from 'node:assert/strict';
import { readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { scratchDirectory } from '../../../test/support/scratch.ts';
import { createClient } from '../../client/client.ts';
import { loadConfig } from '../../config.ts';
import { MullionError } from '../../contract/errors.ts';
import type { Progress } from '../../contract/tasks.ts';
import { createNaming } from '../../core/naming.ts';
import type { Runner } from '../../host/run.ts';
import { linkTo } from './command-link.ts';
import { relevant, renderUnit } from './daemon-service.ts';
import { groupStep } from './group.ts';
import { refuseForeignSystem } from './host-check.ts';
import { missingPackages } from './packages.ts';
import { quickstart } from './quickstart.ts';
import { changed, found, type Setup, type Step } from './step.ts';

/** Answers what was scripted for an argument array, and throws for any other. */
const scripted =
  (answers: Readonly<Record<string, { code?: number; stdout?: string }>>): Runner =>
  async (argv) => {
    const answer = answers[argv[0] ?? ''];
    if (answer === undefined) throw new Error(`not scripted: ${argv.join(' ')}`);
    return { code: answer.code ?? 0, stdout: answer.stdout ?? '', stderr: '' };
  };

const setup = (run: Runner): Setup => ({
  root: '/checkout',
  environment: {},
  build: 'a test',
  config: loadConfig({ MULLION_CONFIG: undefined }),
  naming: createNaming('/state', '/run/x'),
  client: createClient({
    address: 'none',
    request: () => Promise.reject(new Error('no request was scripted')),
    openSocket: () => Promise.reject(new Error('no socket was scripted')),
  }),
  run,
  signal: undefined,
});
const step = (name: string, run: Step['run']): Step => ({ name, run });

describe('quickstart', () => {
  test('runs its steps in order and tells what each found or changed', async () => {
    const seen: Progress[] = [];
    const result = await quickstart(setup(scripted({})), (progress) => seen.push(structuredClone(progress)), [
      step('a', async () => found('was there')),
      step('b', async (_setup, report) => {
        report({ done: 1, total: 2 });
        return changed('made');
      }),
    ]);
    assert.equal(result.changed, true);
    assert.deepEqual(
      result.steps.map(({ step: name, changed: did, message }) => [name, did, message]),
      [
        ['a', false, 'was there'],
        ['b', true, 'made'],
      ],
    );
    assert.ok(seen.some(({ children }) => children[1]?.done === 1 && children[1].state === 'running'));
    assert.equal(seen.at(-1)?.state, 'done');
  });

  test('ends at the step that fails, keeps its error and names the step', async () => {
    let later = false;
    const failing = quickstart(setup(scripted({})), () => undefined, [
      step('a', () => Promise.reject(new MullionError('host_unfit', 'no', { remedy: 'mend' }))),
      step('b', async () => {
        later = true;
        return found('');
      }),
    ]);
    await assert.rejects(failing, { code: 'host_unfit', remedy: 'mend', details: { step: 'a' } });
    assert.equal(later, false);
  });

  test('makes the group only where it is missing', async () => {
    assert.equal(
      (await groupStep.run(setup(scripted({ getent: { code: 0 } })), () => undefined)).changed,
      false,
    );
    const missing = scripted({ getent: { code: 2 }, groupadd: {} });
    assert.equal((await groupStep.run(setup(missing), () => undefined)).changed, true);
  });

  test('holds a package that is only unpacked for missing', async () => {
    const run = scripted({ 'dpkg-query': { code: 1, stdout: 'crun installed\nconmon half-configured\n' } });
    assert.deepEqual(await missingPackages(run, ['crun', 'conmon', 'nftables']), ['conmon', 'nftables']);
  });

  test('refuses a system that is no Debian, with exit code 3', () => {
    assert.doesNotThrow(() => refuseForeignSystem({ ID: 'debian' }));
    assert.doesNotThrow(() => refuseForeignSystem({ ID: 'ubuntu', ID_LIKE: 'debian' }));
    assert.throws(
      () => refuseForeignSystem({ ID: 'fedora', PRETTY_NAME: 'Fedora Linux' }),
      (error: unknown) =>
        error instanceof MullionError && error.entry.exitCode === 3 && /Fedora/.test(error.message),
    );
  });

  test('makes the link to the command, and mends one that leads to nothing', () => {
    using scratch = scratchDirectory('link');
    const [link, launcher, other] = ['link', 'launcher', 'other'].map((name) => join(scratch.path, name));
    assert.ok(link !== undefined && launcher !== undefined && other !== undefined);
    for (const file of [launcher, other]) writeFileSync(file, '');
    assert.deepEqual([linkTo(launcher, link).changed, readlinkSync(link)], [true, launcher]);
    assert.equal(linkTo(launcher, link).changed, false);
    assert.deepEqual([linkTo(other, link).changed, readlinkSync(link)], [false, launcher]);
    rmSync(launcher);
    assert.deepEqual([linkTo(other, link).changed, readlinkSync(link)], [true, other]);
    rmSync(link);
    writeFileSync(link, 'of another program');
    assert.equal(linkTo(launcher, link).changed, false);
    assert.equal(readFileSync(link, 'utf8'), 'of another program');
  });

  test('hands the daemon only its own variables', () => {
    assert.deepEqual(relevant({ MULLION_STATE_DIR: '/s', PATH: '/bin', SECRET: 'x' }), {
      MULLION_STATE_DIR: '/s',
    });
    assert.equal(renderUnit('ExecStart=@ROOT@/mullion', '/opt/m'), 'ExecStart=/opt/m/mullion');
  });
});
