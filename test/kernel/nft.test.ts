import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MullionError } from '../../src/contract/errors.ts';
import { createNftChanges, runNft } from '../../src/host/nft.ts';
import { type Runner, run } from '../../src/host/run.ts';
import { loadNftLibrary } from '../../src/host/syscalls/libnftables.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { must } from '../support/network-world.ts';

const TABLE = `table inet few {
  set ports { type inet_service; }
  map names { type inet_service : ipv4_addr; }
}
`;
const GONE = 'table inet few\ndelete table inet few\n';
const none: Runner = () => assert.fail('no program is started');
const ports = async (): Promise<number[]> =>
  [...(await must(['nft', 'list', 'set', 'inet', 'few', 'ports'])).matchAll(/\b\d{4}\b/g)]
    .map(Number)
    .toSorted((a, b) => a - b);

if (enterPrivateNetns(import.meta.url)) {
  const missing = loadNftLibrary() === undefined ? 'libnftables.so.1 is not installed' : undefined;

  test('a change is made within this process, whatever other programs do to the rules meanwhile', async (t) => {
    if (missing !== undefined) return t.skip(missing);
    const changes = createNftChanges(none);
    for (const round of [1, 2, 3]) {
      await runNft(run, GONE + TABLE);
      await changes.run(`add element inet few ports { ${1000 + round} }\n`);
      await must(['nft', 'add', 'element', 'inet', 'few', 'ports', `{ ${2000 + round} }`]);
      await changes.run(
        `delete element inet few ports { ${2000 + round} }\nadd element inet few ports { 3000 }\n`,
      );
      assert.deepEqual(await ports(), [1000 + round, 3000]);
    }
    return undefined;
  });

  test('changes at one time are all made', async (t) => {
    if (missing !== undefined) return t.skip(missing);
    await runNft(run, GONE + TABLE);
    const [one, two] = [createNftChanges(none), createNftChanges(none)];
    const wanted = Array.from({ length: 200 }, (_, index) => 1000 + index);
    await Promise.all(
      wanted.map((port, index) =>
        (index % 2 === 0 ? one : two).run(`add element inet few ports { ${port} }\n`),
      ),
    );
    assert.deepEqual(await ports(), wanted);
    return undefined;
  });

  test("a change that is refused changes nothing, says nft's words, and the next one is made", async (t) => {
    if (missing !== undefined) return t.skip(missing);
    await runNft(run, GONE + TABLE);
    const changes = createNftChanges(none);
    for (const [wrong, words] of [
      [
        'add element inet few ports { 1000 }\nadd element inet few nowhere { 1 }\n',
        /No such file or directory/,
      ],
      [
        'add element inet few ports { 1000 }\ndelete element inet few ports { 4000 }\n',
        /No such file or directory/,
      ],
      ['add element inet few ports { 1000 }\nadd nonsense\n', /syntax error/],
    ] as const) {
      await assert.rejects(
        changes.run(wrong),
        (failure) =>
          failure instanceof MullionError && failure.code === 'command_failed' && words.test(failure.message),
      );
      assert.deepEqual(await ports(), []);
    }
    await changes.run('add element inet few names { 1 : 10.0.0.1 }\nadd element inet few ports { 1001 }\n');
    assert.deepEqual(await ports(), [1001]);
    return undefined;
  });

  test('without the library, the program makes the change', async () => {
    await runNft(run, GONE + TABLE);
    const started: string[] = [];
    const noted: Runner = (argv, options) => {
      started.push(argv.join(' '));
      return run(argv, options);
    };
    await createNftChanges(noted, () => loadNftLibrary('libnowhere.so.1')).run(
      'add element inet few ports { 1000 }\n',
    );
    assert.deepEqual([await ports(), started], [[1000], ['nft -f -']]);
  });
}
