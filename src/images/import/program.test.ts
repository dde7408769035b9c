import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageProgram } from '../../contract/resources.ts';
import { ConfigSchema } from './layout.ts';
import { programOf, type RootFacts } from './program.ts';

const FACTS: RootFacts = {
  present: new Set(),
  initTarget: '',
  passwd: 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/srv:/bin/sh\nwild:x:70000:1:::\n',
  group: 'root:x:0:\nweb:x:34:\nextra:x:44:web\n',
};
const of = (config: object): ImageProgram | undefined =>
  programOf(ConfigSchema.parse({ config: { Cmd: ['/app'], ...config } }), FACTS);
const refuses = (config: object, reason: string): void =>
  assert.throws(
    () => of(config),
    (failure: unknown) => {
      assert.ok(failure instanceof Error && 'details' in failure);
      assert.deepEqual(failure.details, { reason });
      assert.doesNotMatch(failure.message, /[\x00-\x1f\x7f-\x9f]/);
      assert.ok(failure.message.length < 400);
      return true;
    },
  );

test('an entry point gets its words, environment, folder, ids and signal', () => {
  const config = { Entrypoint: ['/run'], Env: ['A=b=c', 'no value', '=x', '1a=x'], WorkingDir: '/srv' };
  assert.deepEqual(of({ ...config, User: 'web', StopSignal: 'SIGQUIT' }), {
    argv: ['/run', '/app'],
    env: { A: 'b=c' },
    cwd: '/srv',
    uid: 33,
    gid: 34,
    groups: [44],
    stopSignal: 3,
  });
});

test('a signal that no kernel has becomes one that it has', () => {
  const signals = ['RTMIN+99', 'SIGRTMIN+2', '99', '0', '\u001b[2J', 'KILL'];
  assert.deepEqual(
    signals.map((StopSignal) => of({ StopSignal })?.stopSignal),
    [64, 36, 64, 1, 15, 9],
  );
});

test('hostile entry points are refused by their cause', () => {
  refuses({ Cmd: ['/app\0--evil'] }, 'name');
  refuses({ Cmd: ['x'.repeat(200_000)] }, 'too_large');
  refuses({ Cmd: Array.from({ length: 300_000 }, () => 'word') }, 'too_large');
  refuses({ Env: Array.from({ length: 100 }, (_, index) => `V${index}=${'x'.repeat(50_000)}`) }, 'too_large');
  for (const User of ['nobody\u001b[2J', '70000', 'wild', '0:70000', '-1', '0\n', '../etc', 'x'.repeat(1e6)])
    refuses({ User }, 'owner');
  for (const WorkingDir of ['srv', '/srv\n', '/\u009b2J', `/${'x'.repeat(5000)}`])
    refuses({ WorkingDir }, 'path');
});
