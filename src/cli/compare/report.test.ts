import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comparison, subject } from '../../../test/support/comparison.ts';
import { TECHNIQUES } from '../../contract/technique-table.ts';
import { plainStyle } from '../output/style.ts';
import { textWidth } from '../output/width.ts';
import { formatValue } from './format.ts';
import { MEASURES } from './measures.ts';
import { renderReport } from './report.ts';
import { renderComparison } from './table.ts';

const HOSTILE = '</td><script>alert(1)</script>\x1b[31m"\'&';
const os = subject('os', {
  cpu: 1400,
  userspace: 0.043,
  idle: 12_000_000,
  network: 7.4e9,
  commits: 'no fio',
});
const full = subject('full', { cpu: 70, userspace: 4.2, idle: 220_000_000, network: HOSTILE });
const para = subject('para', {}, { state: 'unavailable', reason: 'no Xen here', remedy: 'boot under Xen' });

test('numbers have three digits and their unit', () => {
  const rows = [
    [0.043, 's', '43.0 ms'],
    [4.25, 's', '4.25 s'],
    [12_582_912, 'B', '12.0 MiB'],
    [7.4e9, 'bit/s', '7.40 Gbit/s'],
    [1462, '/s', '1.46 k/s'],
    [80, '/s', '80.0 /s'],
    [1234, '', '1,234'],
  ] as const;
  for (const [value, unit, shown] of rows) assert.equal(formatValue(value, unit), shown);
});

test('the table has measures down and techniques across, in 80 columns with all five', () => {
  const lines = renderComparison(
    comparison(TECHNIQUES.map((technique) => ({ ...os, technique }))),
    80,
    plainStyle,
  );
  assert.match(lines[0] ?? '', /os +full +hardware +kernel +para$/);
  for (const line of lines) assert.ok(textWidth(line) <= 80, line);
  for (const { short } of MEASURES)
    assert.ok(
      lines.some((line) => line.startsWith(short)),
      short,
    );
});

test('what is missing is named with its reason, in the table and in the report', () => {
  const measured = comparison([os, full, para]);
  const table = renderComparison(measured, 80, plainStyle).join('\n');
  assert.match(table, /para not measured: no Xen here Try: boot under Xen/);
  assert.match(table, /os, disk commits: no fio/);
  const html = renderReport(measured);
  assert.match(html, /no Xen here/);
  assert.match(html, /boot under Xen/);
  assert.match(html, /os, disk commits: no fio/);
});

test('what a guest or a host says cannot break out of the report or the table', () => {
  const measured = comparison([full], { image: HOSTILE });
  const html = renderReport(measured);
  assert.doesNotMatch(html, /<script|\x1b/);
  assert.match(html, /&lt;script&gt;/);
  assert.doesNotMatch(renderComparison(measured, 80, plainStyle).join('\n'), /\x1b/);
});

test('the report is one file: nothing is loaded from elsewhere', () => {
  const html = renderReport(comparison([os, full, para]));
  assert.doesNotMatch(html, /https?:|url\(|@import|<(?:link|img|script|iframe)/);
});

test('each chart says in words what it shows, and the longest bar fills it', () => {
  const html = renderReport(comparison([os, full]));
  assert.match(html, /aria-label="Work of the processor: os 1.40 k\/s, full 70.0 \/s"/);
  assert.match(html, /<rect class="t0" x="0" y="20" width="300"/);
  assert.match(html, /<rect class="t1" x="0" y="62" width="15"/);
});

test('the best of a row is bold and the others are told as multiples of it', () => {
  const html = renderReport(comparison([os, full]));
  assert.match(html, /<td class="best">1.40 k\/s<\/td><td>70.0 \/s <span class="soft">×20.0<\/span>/);
  assert.match(html, /<td class="best">43.0 ms<\/td><td>4.20 s <span class="soft">×97.7<\/span>/);
});
