import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MEASURES, type MeasureId } from './measures.ts';
import { WORKLOADS } from './workloads.ts';

const PACE = { seconds: 5, fileSize: 2 ** 25 };
const fio = (read: number, write: number): string =>
  `fio: a note\n${JSON.stringify({
    jobs: [{ read: { bw_bytes: read, iops: read / 4096 }, write: { bw_bytes: write, iops: write / 4096 } }],
  })}\n`;

/** What the programs of Debian 12 print. */
const OUTPUTS: readonly (readonly [MeasureId, string, number])[] = [
  ['cpu', 'CPU speed:\n    events per second:  1462.12\n\nGeneral statistics:\n', 1462.12],
  [
    'syscalls',
    '1000+0 records in\n1000+0 records out\n2500000 bytes (2.5 MB, 2.4 MiB) copied, 2 s, 1.2 MB/s\n',
    2_500_000,
  ],
  ['processes', '4210\n', 842],
  [
    'memory',
    'Total operations: 51200 (10239.08 per second)\n\n51200.00 MiB transferred (10240.00 MiB/sec)\n',
    10 * 2 ** 30,
  ],
  ['diskWrite', fio(0, 300_000_000), 300_000_000],
  ['diskRead', fio(40_960_000, 0), 10_000],
  ['commits', fio(0, 819_200), 200],
  ['network', '{"end":{"sum_received":{"bits_per_second":7.4e9}}}', 7.4e9],
];

test('the number is found in what each program prints', () => {
  for (const [id, output, expected] of OUTPUTS) {
    const workload = WORKLOADS.find((candidate) => candidate.id === id);
    assert.equal(workload?.parse(output, PACE), expected, id);
  }
  assert.equal(OUTPUTS.length, WORKLOADS.length);
});

test('what fails or answers nonsense gives no number', () => {
  const nonsense = [
    '',
    'error',
    '{',
    '{}',
    '0',
    '-4',
    '{"jobs":[]}',
    'events per second: 0',
    '0 bytes copied, 0 s',
  ];
  for (const { id, parse } of WORKLOADS)
    for (const output of nonsense) assert.equal(parse(output, PACE), undefined, `${id}: ${output}`);
});

test('every workload is a measure, and every argument is a text of its own', () => {
  for (const { id, argv } of WORKLOADS) {
    assert.ok(MEASURES.some((measure) => measure.id === id));
    assert.ok(argv(PACE, '10.0.0.2').every((word) => typeof word === 'string' && word !== ''));
  }
});
