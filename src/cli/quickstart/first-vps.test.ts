import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createClient } from '../../client/client.ts';
import { loadConfig } from '../../config.ts';
import { createNaming } from '../../core/naming.ts';
import { firstVpsStep } from './first-vps.ts';
import type { StepResult } from './step.ts';

interface Known {
  readonly state: string;
  readonly startedAt: string | null;
}

/** Runs the step against a daemon that has this VPS `first`; answers its result and the requests that change something. */
async function runStep(
  states: readonly (Known | undefined)[],
): Promise<{ result: StepResult; requests: string[] }> {
  const requests: string[] = [];
  let looks = 0;
  const task = {
    id: 'task1',
    state: 'done',
    error: null,
    progress: { name: 'x', state: 'done', children: [] },
  };
  const answer = (method: string, path: string): unknown => {
    if (method !== 'GET') {
      requests.push(`${method} ${path}`);
      return task;
    }
    const known = states[Math.min(looks, states.length - 1)];
    const vps =
      known === undefined ? undefined : { name: 'first', technique: 'os', addresses: ['10.0.0.2'], ...known };
    if (path.startsWith('/v1/vps/first')) return { name: 'first', technique: 'os', addresses: ['10.0.0.2'] };
    looks += 1;
    return vps === undefined ? [] : [vps];
  };
  const client = createClient({
    address: 'test',
    request: async ({ method, path }) => ({
      status: 200,
      text: async () => JSON.stringify(answer(method, path)),
      body: (async function* () {})(),
    }),
    openSocket: () => Promise.reject(new Error('no socket was scripted')),
  });
  const setup = {
    root: '/',
    environment: {},
    build: 'a test',
    config: loadConfig({}),
    naming: createNaming('/s', '/r'),
    client,
    run: () => Promise.reject(new Error('no command was scripted')),
    signal: undefined,
  };
  return { result: await firstVpsStep.run(setup, () => undefined), requests };
}

const AGO = '2026-01-01T00:00:00Z';

describe('the step of the first VPS', () => {
  test('launches it where there is none', async () => {
    const { result, requests } = await runStep([undefined]);
    assert.deepEqual([result.changed, requests], [true, ['POST /v1/vps']]);
  });

  test('changes nothing where it runs or is paused', async () => {
    for (const state of ['running', 'paused']) {
      const { result, requests } = await runStep([{ state, startedAt: AGO }]);
      assert.deepEqual([result.changed, requests], [false, []], state);
    }
  });

  test('starts it where it is stopped', async () => {
    const { requests } = await runStep([{ state: 'stopped', startedAt: AGO }]);
    assert.deepEqual(requests, ['POST /v1/vps/first/start']);
  });

  test('waits for one that is being made', async () => {
    const { result, requests } = await runStep([
      { state: 'creating', startedAt: null },
      { state: 'running', startedAt: AGO },
    ]);
    assert.deepEqual([result.changed, requests], [false, []]);
  });

  test('makes one anew that failed before it ever ran, and never deletes one that did', async () => {
    assert.deepEqual((await runStep([{ state: 'error', startedAt: null }])).requests, [
      'DELETE /v1/vps/first?force=true',
      'POST /v1/vps',
    ]);
    assert.deepEqual((await runStep([{ state: 'error', startedAt: AGO }])).requests, [
      'POST /v1/vps/first/start',
    ]);
  });
});
