import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { MullionError } from '../contract/error-table.ts';
import { parseRecipe, readRecipe } from './recipe-file.ts';

const refusedWith = (says: RegExp) => (error: unknown) =>
  error instanceof MullionError && error.code === 'invalid_request' && says.test(error.message);

describe('a recipe', () => {
  test('becomes a request, with the files that lie beside it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'recipe-'));
    try {
      writeFileSync(join(folder, 'page.html'), 'hello');
      writeFileSync(
        join(folder, 'web.yaml'),
        [
          'name: web',
          'suite: bookworm',
          'packages: [nginx]',
          'users: [{name: deploy, groups: [adm]}]',
          'files:',
          '  - {path: /srv/index.html, source: page.html, mode: 0644}',
          '  - {path: /etc/motd, content: "hi\\n"}',
          'commands:',
          '  - systemctl enable nginx',
        ].join('\n'),
      );
      const request = readRecipe(join(folder, 'web.yaml'), undefined);
      assert.equal(request.name, 'web');
      assert.deepEqual(request.include, ['nginx']);
      assert.deepEqual(
        request.setup?.files.map(({ path, content, mode }) => [
          path,
          Buffer.from(content, 'base64').toString(),
          mode,
        ]),
        [
          ['/srv/index.html', 'hello', '644'],
          ['/etc/motd', 'hi\n', '644'],
        ],
      );
      assert.equal(readRecipe(join(folder, 'web.yaml'), 'other').name, 'other');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('that says something unknown, twice or outside is refused by the name of its field', () => {
    assert.throws(() => parseRecipe('packges: []', 'r'), refusedWith(/packges/));
    assert.throws(
      () => parseRecipe('files: [{path: /a/../../b, content: x}]', 'r'),
      refusedWith(/files\.0\.path/),
    );
    assert.throws(() => parseRecipe('files: [{path: /a}]', 'r'), refusedWith(/content or source/));
    assert.throws(() => parseRecipe('a: [', 'r'), refusedWith(/no YAML/));
    const bomb = [
      'a: &a [x,x,x,x,x,x,x,x,x]',
      'b: &b [*a,*a,*a,*a,*a,*a,*a,*a]',
      'c: [*b,*b,*b,*b,*b,*b,*b,*b]',
    ];
    assert.throws(() => parseRecipe(bomb.join('\n'), 'r'), refusedWith(/no YAML/));
  });
});
