import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { candidates, type Names } from './completion/candidates.ts';
import { renderCommandHelp } from './help/render.ts';
import { loadAll, overview } from './help/show.ts';
import { plainStyle } from './output/style.ts';
import { textWidth } from './output/width.ts';
import { CHAPTERS, COMMAND_NAMES } from './registry.ts';

const commands = await loadAll();
const names: Names = {
  vps: async () => ['web', 'wiki', 'evil\x1b[2J'],
  image: async () => ['debian/12'],
  network: async () => ['default'],
  project: async () => {
    throw new Error('no daemon');
  },
  pool: async () => [],
  task: async () => [],
  snapshot: async ([name]) => (name === 'web' ? ['before', 'after'] : []),
  backup: async () => ['0123456789ab'],
  repository: async () => ['nas'],
};

describe('every command', () => {
  test('says what it is, with an example that begins with its own name', () => {
    for (const [name, { summary, description, examples }] of commands) {
      assert.ok(summary.length > 0 && summary.length <= 70 && !summary.endsWith('.'), name);
      assert.ok(description.length > 20, name);
      assert.ok(
        examples.some(({ line }) => line.includes(`mullion ${name}`)),
        name,
      );
    }
  });

  test('has a page no wider than 80 columns', () => {
    for (const [name, command] of commands) {
      const wide = renderCommandHelp(name, command, 80).filter(
        (line) => textWidth(line) > 80 && !line.includes('$ '),
      );
      assert.deepEqual(wide, [], name);
    }
  });

  test('stands in one chapter of the overview', async () => {
    const members: string[] = CHAPTERS.flatMap((chapter) => [...chapter.members]);
    const words = [...new Set(COMMAND_NAMES.map((name) => name.split(' ')[0] ?? name))];
    assert.deepEqual([...members].sort(), words.sort());
    for (const line of await overview(plainStyle)) assert.ok(textWidth(line) <= 80, line);
  });

  test('that names another in "see also" names one that exists', () => {
    for (const [name, { seeAlso = [] }] of commands) {
      for (const other of seeAlso)
        assert.ok(
          COMMAND_NAMES.some((known) => known === other),
          `${name}: ${other}`,
        );
    }
  });

  test('has flags whose letters do not clash', () => {
    for (const [name, { flags }] of commands) {
      const letters = ['q', 'h', ...Object.values(flags).flatMap(({ short }) => short ?? [])];
      assert.equal(new Set(letters).size, letters.length, name);
    }
  });
});

describe('completion', () => {
  const complete = (...words: string[]) => candidates(words, names);

  test('offers commands, verbs, flags, choices and names', async () => {
    assert.deepEqual(await complete('lau'), ['launch']);
    assert.deepEqual(await complete('file', 'pu'), ['push', 'pull']);
    assert.deepEqual(await complete('launch', 'debian/12', '--technique', 'o'), ['os']);
    assert.ok((await complete('launch', '--mem'))[0]?.startsWith('--memory\t'));
    assert.deepEqual(await complete('exec', 'w'), ['web', 'wiki']);
    assert.deepEqual(await complete('stop', 'web', 'wi'), ['wiki']);
    assert.deepEqual(await complete('launch', ''), ['debian/12']);
    assert.deepEqual(await complete('backup', 're'), ['restore', 'repo']);
    assert.deepEqual(await complete('backup', 'repo', 'k'), ['key']);
    assert.deepEqual(await complete('backup', 'repo', 'key', ''), ['nas']);
    assert.deepEqual(await complete('backup', 'create', 'we', '--repo', 'n'), ['nas']);
    assert.deepEqual(await complete('file', 'push', 'web', ''), [':file']);
    assert.deepEqual(await complete('snapshot', 'restore', 'web', 'b'), ['before']);
    assert.deepEqual(await complete('snapshot', 'restore', '--quiet', 'wiki', ''), []);
  });

  test('offers nothing for the words of another program, or when nobody answers', async () => {
    assert.deepEqual(await complete('exec', 'web', '--', 'w'), []);
    assert.deepEqual(await complete('project', 'delete', ''), []);
    assert.deepEqual(await complete('nosuch', ''), []);
  });

  test('never hands a shell what could steer its terminal', async () => {
    assert.deepEqual(await complete('info', 'evil'), ['evil\ufffd[2J']);
  });
});
