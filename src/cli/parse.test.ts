import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { MullionError } from '../contract/error-table.ts';
import { defineCommand } from './command.ts';
import { readForward, readHostPort } from './forward-text.ts';
import { asksForJson, parseArguments } from './parse.ts';
import { resolveCommand } from './resolve.ts';
import { editDistance, suggest } from './suggest.ts';

const command = defineCommand({
  summary: 's',
  description: 'd',
  arguments: {
    name: { label: 'NAME', summary: 'a name' },
    rest: { label: 'CMD', summary: 'a command', arity: 'rest' },
  },
  flags: {
    tty: { kind: 'boolean', short: 't', summary: '' },
    memory: { kind: 'size', value: 'SIZE', summary: '' },
    cpus: { kind: 'number', value: 'N', summary: '' },
    env: { kind: 'pairs', value: 'K=V', short: 'e', summary: '' },
    key: { kind: 'texts', value: 'FILE', summary: '' },
    mode: { kind: 'choice', choices: ['fast', 'slow'], summary: '' },
  },
  examples: [],
  run: async () => 0,
});
const parse = (...words: string[]) => parseArguments('exec', command, words);
const says =
  (pattern: RegExp) =>
  (error: unknown): boolean =>
    error instanceof MullionError &&
    error.code === 'invalid_request' &&
    pattern.test(error.message) &&
    /--help/.test(error.remedy);

describe('whether JSON is asked for', () => {
  const asks = (...words: string[]) => asksForJson(command, words);

  test('is told by words that may be wrong', () => {
    assert.ok(asks('--json'));
    assert.ok(asks('web', '--json', '--', 'ls'));
    assert.ok(asks('--nosuch', '--json'));
    assert.ok(asks('-x', '--memory', '--json'));
    assert.ok(asks('--env', 'A=1', '--json', 'web'));
    assert.ok(asksForJson(undefined, ['lunch', '--json']));
  });

  test('is not told by the words of another program', () => {
    assert.ok(!asks('web', 'ls', '--json'));
    assert.ok(!asks('--env', 'A=1', 'web', 'ls', '--json'));
    assert.ok(!asks('-e', 'A=1', '-t', 'web', 'ls', '--json'));
    assert.ok(!asks('web', '--', 'ls', '--json'));
    assert.ok(!asksForJson(undefined, ['lunch', '--', '--json']));
  });
});

describe('the parser', () => {
  test('reads flags in every form, and gives each its type', () => {
    const { input, global } = parse(
      'web',
      '-t',
      '--memory=1.5G',
      '--cpus',
      '-1',
      '-e',
      'A=1',
      '--env',
      'B=x=y',
      '--key',
      'a',
      '--key=b',
      '--mode',
      'slow',
      '--json',
      '--project',
      'shop',
      '--no-wait',
      '-q',
      '--',
      'ls',
      '--json',
      '-l',
    );
    assert.deepEqual(input.arguments, { name: 'web', rest: ['ls', '--json', '-l'] });
    assert.deepEqual(input.flags, {
      tty: true,
      memory: 1.5 * 1024 ** 3,
      cpus: -1,
      env: { A: '1', B: 'x=y' },
      key: ['a', 'b'],
      mode: 'slow',
    });
    assert.deepEqual(global, { json: true, project: 'shop', quiet: true, wait: false, help: false });
  });

  test('takes the words of another program as they stand, also without --', () => {
    assert.deepEqual(parse('web', 'ls', '-l', '--json').input.arguments.rest, ['ls', '-l', '--json']);
    assert.deepEqual(parse('web', '--', '-x').input.arguments.rest, ['-x']);
    assert.deepEqual(parse('web', 'a', '--', 'b').input.arguments.rest, ['a', '--', 'b']);
  });

  test('names what is wrong, and what was meant', () => {
    assert.throws(() => parse(), says(/NAME is missing/));
    assert.throws(() => parse('web'), says(/CMD is missing/));
    assert.throws(() => parse('web', '--memry', '1G', 'x'), says(/--memry.*--memory/));
    assert.throws(() => parse('web', '-z', 'x'), says(/no flag -z/));
    assert.throws(() => parse('web', '--memory'), says(/--memory needs a value/));
    assert.throws(() => parse('web', '--memory', 'lots', '--', 'x'), says(/lots.*256M/));
    assert.throws(() => parse('web', '--cpus', '0x10', '--', 'x'), says(/not a number/));
    assert.throws(() => parse('web', '--env', 'A', '--', 'x'), says(/KEY=VALUE/));
    assert.throws(() => parse('web', '--mode', 'fats', '--', 'x'), says(/fats.*fast/));
    assert.throws(() => parse('web', '--tty=yes', '--', 'x'), says(/takes no value/));
  });

  test('needs no arguments when help is asked for', () => {
    assert.equal(parse('--help').global.help, true);
  });

  test('never fails in another way, whatever the words are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constantFrom('--', '-', '--env', '-e', '--memory='))),
        (words) => {
          try {
            parse(...words);
          } catch (error) {
            assert.ok(error instanceof MullionError && error.code === 'invalid_request', String(error));
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe('the command line', () => {
  test('finds a command, with global flags before and between its words', () => {
    const cases: [string[], string, string[]][] = [
      [['list'], 'list', []],
      [['--json', '--project', 'shop', 'list', '-q'], 'list', ['--json', '--project', 'shop', '-q']],
      [['forward', '--json', 'add', 'web', '1:2'], 'forward add', ['--json', 'web', '1:2']],
      [['daemon'], 'daemon status', []],
      [['daemon', '--json'], 'daemon status', ['--json']],
    ];
    for (const [words, name, rest] of cases) {
      assert.deepEqual(resolveCommand(words), { kind: 'command', name, words: rest });
    }
    assert.equal(resolveCommand(['file']).kind, 'group');
    assert.equal(resolveCommand(['daemon', '--help']).kind, 'group');
    assert.equal(resolveCommand([]).kind, 'overview');
  });

  test('says what an unknown command may have meant', () => {
    const near = (words: string[], pattern: RegExp) =>
      assert.throws(
        () => resolveCommand(words),
        (error: unknown) =>
          error instanceof MullionError && error.code === 'invalid_request' && pattern.test(error.message),
      );
    near(['lunch'], /"launch"/);
    near(['ls'], /"list"/);
    near(['ssh'], /"exec"/);
    near(['file', 'psh'], /"file push"/);
    near(['constructor'], /no command "constructor"\.$/);
    near(['__proto__'], /no command/);
    near(['zzzzzz'], /no command "zzzzzz"\.$/);
  });
});

describe('a suggestion', () => {
  test('counts a swap of neighbours as one edit', () => {
    assert.equal(editDistance('lauhcn', 'launch'), 2);
    assert.equal(editDistance('lsit', 'list'), 1);
    assert.equal(editDistance('', 'abc'), 3);
  });

  test('is the nearest first, and none when nothing is near', () => {
    assert.deepEqual(suggest('mem', ['memory', 'name']), ['memory']);
    assert.deepEqual(suggest('xyz', ['memory']), []);
  });

  test('is a distance: zero only for the same word, the same both ways', () => {
    const word = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        assert.equal(editDistance(a, b), editDistance(b, a));
        assert.equal(editDistance(a, b) === 0, a === b);
      }),
    );
  });
});

describe('a forward', () => {
  test('is HOSTPORT:VPSPORT, tcp unless it says udp', () => {
    assert.deepEqual(readForward('8080:80', 'forward add'), { hostPort: 8080, vpsPort: 80, protocol: 'tcp' });
    assert.deepEqual(readForward('53:53/udp', 'forward add'), { hostPort: 53, vpsPort: 53, protocol: 'udp' });
    assert.deepEqual(readHostPort('8080', 'forward remove'), { hostPort: 8080, protocol: 'tcp' });
    assert.deepEqual(readHostPort('53/udp', 'forward remove'), { hostPort: 53, protocol: 'udp' });
  });

  test('that is none is refused', () => {
    for (const text of ['abc', '80', '70000:80', '0:80', '80:65536', '80:80/icmp', '-1:80', '1:2:3', '']) {
      assert.throws(() => readForward(text, 'forward add'), says(/HOSTPORT:VPSPORT|65535/), text);
    }
  });
});
