import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Progress } from '../../contract/tasks.ts';
import { createDetachFilter } from '../detach-keys.ts';
import { formatAge, formatDuration } from './duration.ts';
import { LiveArea } from './live-area.ts';
import { renderProgress } from './progress.ts';
import { createTextSanitizer, sanitizeLine, sanitizeText } from './sanitize.ts';
import { colourStyle, plainStyle, speaksUnicode, styleFor } from './style.ts';
import { type Column, renderTable } from './table.ts';
import { textWidth, truncate, wrap } from './width.ts';

/** Any byte that could steer a terminal. */
const STEERING = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/;
const hostile = fc.array(
  fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '\x1b[2J',
      '\x1b]0;title\x07',
      '\x1b]52;c;aGk=\x1b\\',
      '\x1bP1;2q',
      '\x9b31m',
      '\x1b[31m',
      '\r',
      '\x1b',
      '\x1b[',
    ),
  ),
  { maxLength: 12 },
);

describe('text of a guest', () => {
  test('cannot steer a terminal from a table', () => {
    fc.assert(
      fc.property(hostile, (parts) => {
        const text = sanitizeLine(parts.join(''));
        assert.doesNotMatch(text, STEERING);
        assert.doesNotMatch(text, /[\n\t\u202e]/);
      }),
    );
  });

  test('cannot steer a terminal from a log, however its bytes are cut', () => {
    fc.assert(
      fc.property(hostile, fc.boolean(), (parts, colour) => {
        const clean = createTextSanitizer(colour);
        const out = parts.map((part) => clean(part)).join('');
        // Whole colours are all that may stay.
        assert.doesNotMatch(colour ? out.replace(/\x1b\[[0-9;:]*m/g, '') : out, STEERING);
      }),
      { numRuns: 2_000 },
    );
  });

  test('keeps its words, lines and, where asked for, its colours', () => {
    assert.equal(sanitizeText('\x1b[32m  OK  \x1b[0m Started\r\nnext\x1b[2J'), '  OK   Started\nnext');
    assert.equal(sanitizeText('\x1b[32mOK\x1b[0m\x1b[1A', true), '\x1b[32mOK\x1b[0m');
    assert.equal(sanitizeText('a\x1b]0;evil\x07b\x1b]0;evil\x1b\\c'), 'abc');
  });
});

describe('a table', () => {
  interface Row {
    readonly name: string;
    readonly size: number;
    readonly note: string;
  }
  const columns: Column<Row>[] = [
    { title: 'NAME', value: (row) => row.name, shrink: 1, least: 6 },
    { title: 'SIZE', value: (row) => String(row.size), align: 'right' },
    { title: 'NOTE', value: (row) => row.note, shrink: 2, least: 4 },
  ];

  test('stands in columns', () => {
    assert.deepEqual(
      renderTable(
        columns,
        [
          { name: 'web', size: 5, note: 'x' },
          { name: 'database', size: 1234, note: '' },
        ],
        80,
      ),
      ['NAME      SIZE  NOTE', 'web          5  x', 'database  1234'],
    );
  });

  test('is never wider than the terminal where its columns can give way', () => {
    const row = fc.record({
      name: fc.string({ unit: 'grapheme', maxLength: 60 }),
      size: fc.nat(99_999),
      note: fc.string({ maxLength: 60 }),
    });
    fc.assert(
      fc.property(fc.array(row), fc.integer({ min: 20, max: 120 }), (rows, width) => {
        for (const line of renderTable(columns, rows, width))
          assert.ok(textWidth(line) <= width, `${textWidth(line)} of ${width}: ${line}`);
      }),
    );
  });

  test('measures wide and combining characters as a terminal does', () => {
    assert.equal(textWidth('日本'), 4);
    assert.equal(textWidth('e\u0301'), 1);
    assert.equal(truncate('日本語', 5), '日本…');
    assert.equal(truncate('abc', 3), 'abc');
  });
});

describe('progress', () => {
  const tree: Progress = {
    name: 'build',
    state: 'running',
    children: [
      { name: 'prepare', state: 'done', children: [{ name: 'hidden', state: 'done', children: [] }] },
      {
        name: 'download',
        state: 'running',
        done: 512 * 1024,
        total: 1024 * 1024,
        unit: 'bytes',
        rate: 2048,
        secondsLeft: 250,
        children: [],
      },
      { name: 'seal', state: 'waiting', children: [] },
    ],
  };

  test('shows a bar, the amount, a rate and the time left, and folds what is done', () => {
    assert.deepEqual(renderProgress(tree, { width: 100, unicode: false, frame: 0 }), [
      '| build',
      '  + prepare',
      '  | download  ##########----------   50%  512K/1M  2K/s  4m10s left',
      '  . seal',
    ]);
  });

  test('is never wider than the terminal, and no guest can steer it', () => {
    const node: fc.Arbitrary<Progress> = fc.record({
      name: fc.string({ unit: 'binary', maxLength: 40 }),
      state: fc.constantFrom('waiting' as const, 'running' as const, 'done' as const, 'failed' as const),
      done: fc.option(fc.nat(), { nil: undefined }),
      total: fc.option(fc.nat(), { nil: undefined }),
      unit: fc.constantFrom(undefined, 'bytes' as const, 'items' as const, 'percent' as const),
      rate: fc.option(fc.nat(), { nil: undefined }),
      secondsLeft: fc.option(fc.nat(), { nil: undefined }),
      message: fc.option(fc.string({ unit: 'binary', maxLength: 60 }), { nil: undefined }),
      children: fc.constant([]),
    });
    fc.assert(
      fc.property(
        fc.array(node, { maxLength: 5 }),
        fc.integer({ min: 20, max: 120 }),
        fc.nat(50),
        (children, width, frame) => {
          for (const line of renderProgress(
            { name: 'x', state: 'running', children },
            { width, unicode: true, frame },
          )) {
            assert.ok(textWidth(line) <= width, `${textWidth(line)} of ${width}: ${line}`);
            assert.doesNotMatch(line, STEERING);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('is redrawn over itself, and no taller than the terminal', () => {
    let written = '';
    const area = new LiveArea({
      write: (text) => {
        written += text;
      },
    });
    area.draw(['a', 'b', 'c'], 3);
    assert.ok(written.includes('b') && !written.includes('c'));
    written = '';
    area.draw(['d'], 3);
    assert.ok(written.includes('\x1b[2A'));
    written = '';
    area.clear();
    assert.equal(written, '\x1b[1A\r\x1b[J');
    area.clear();
    assert.equal(written, '\x1b[1A\r\x1b[J');
  });
});

describe('small things', () => {
  test('durations have at most two units', () => {
    assert.deepEqual([0, 4, 60, 192, 7200, 446_400].map(formatDuration), [
      '0s',
      '4s',
      '1m',
      '3m12s',
      '2h',
      '5d4h',
    ]);
    assert.equal(formatAge(null, 0), '-');
    assert.equal(formatAge('1970-01-01T00:00:00Z', 5_000), '5s');
  });

  test('colour needs a terminal that is not dumb, and no NO_COLOR', () => {
    assert.equal(styleFor(true, {}), colourStyle);
    for (const [terminal, environment] of [
      [false, {}],
      [true, { NO_COLOR: '1' }],
      [true, { TERM: 'dumb' }],
    ] as const) {
      assert.equal(styleFor(terminal, environment), plainStyle);
    }
    assert.equal(speaksUnicode({ LANG: 'de_DE.UTF-8' }), true);
    assert.equal(speaksUnicode({ LC_ALL: 'C', LANG: 'de_DE.UTF-8' }), false);
  });

  test('lines are broken at spaces', () => {
    assert.deepEqual(wrap('one two three', 7), ['one two', 'three']);
    assert.deepEqual(wrap('--flag\u00a0VALUE x', 8), ['--flag\u00a0VALUE', 'x']);
  });

  test('the keys that leave a console are taken out, and all others travel', () => {
    const typed = (...pieces: string[]) => {
      const filter = createDetachFilter();
      return pieces.map((piece) => {
        const kept = filter(Buffer.from(piece, 'latin1'));
        return kept === undefined ? undefined : Buffer.from(kept).toString('latin1');
      });
    };
    assert.deepEqual(typed('ls\n\x03'), ['ls\n\x03']);
    assert.deepEqual(typed('a\x1dq'), [undefined]);
    assert.deepEqual(typed('\x1d', 'q'), ['', undefined]);
    assert.deepEqual(typed('\x1d\x1d', 'q'), ['\x1d', 'q']);
    assert.deepEqual(typed('\x1dx'), ['\x1dx']);
  });
});
