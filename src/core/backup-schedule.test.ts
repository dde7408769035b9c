import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  conditionOf,
  delayOf,
  dueSlot,
  nextRun,
  type Schedule,
  slotAfter,
  slotBefore,
} from './backup-schedule.ts';

const time = (text: string): Date => new Date(`${text}Z`);
const text = (date: Date | undefined): string | undefined => date?.toISOString().slice(0, 16);
const schedule = (change: Partial<Schedule> = {}): Schedule => ({
  id: 'aabbccddeeff',
  at: 'daily 02:00',
  jitter: 0,
  since: time('2026-03-01T00:00'),
  lastSlot: undefined,
  ...change,
});

describe('the times of a pattern', () => {
  const NOW = time('2026-03-11T10:20');
  const cases = [
    ['hourly', '2026-03-11T10:00', '2026-03-11T11:00'],
    ['hourly :30', '2026-03-11T09:30', '2026-03-11T10:30'],
    ['daily 02:00', '2026-03-11T02:00', '2026-03-12T02:00'],
    ['daily 23:59', '2026-03-10T23:59', '2026-03-11T23:59'],
    // 2026-03-11 is a Wednesday.
    ['weekly sun 03:00', '2026-03-08T03:00', '2026-03-15T03:00'],
    ['weekly wed 10:20', '2026-03-11T10:20', '2026-03-18T10:20'],
    ['weekly thu 03:00', '2026-03-05T03:00', '2026-03-12T03:00'],
    ['monthly 1 04:00', '2026-03-01T04:00', '2026-04-01T04:00'],
    ['monthly 28 04:00', '2026-02-28T04:00', '2026-03-28T04:00'],
  ] as const;
  for (const [at, before, after] of cases) {
    test(`${at} lie around the clock`, () => {
      assert.equal(text(slotBefore(at, NOW)), before);
      assert.equal(text(slotAfter(at, NOW)), after);
    });
  }

  test('go over the end of a year', () => {
    assert.equal(text(slotBefore('monthly 15 01:00', time('2027-01-02T00:00'))), '2026-12-15T01:00');
    assert.equal(text(slotAfter('monthly 15 01:00', time('2026-12-20T00:00'))), '2027-01-15T01:00');
  });
});

describe('a run', () => {
  test('is owed once its time has come, and once only', () => {
    assert.equal(dueSlot(schedule({ since: time('2026-03-11T00:00') }), time('2026-03-11T01:59')), undefined);
    assert.equal(text(dueSlot(schedule(), time('2026-03-11T02:00'))), '2026-03-11T02:00');
    const done = schedule({ lastSlot: time('2026-03-11T02:00') });
    assert.equal(dueSlot(done, time('2026-03-11T23:00')), undefined);
    assert.equal(text(nextRun(done, time('2026-03-11T23:00'))), '2026-03-12T02:00');
  });

  test('that was missed is made up for once, however many were missed', () => {
    const done = schedule({ lastSlot: time('2026-03-05T02:00') });
    assert.equal(text(dueSlot(done, time('2026-03-11T15:00'))), '2026-03-11T02:00');
  });

  test('from before the schedule was set is not owed', () => {
    assert.equal(dueSlot(schedule({ since: time('2026-03-11T09:00') }), time('2026-03-11T10:00')), undefined);
  });

  test('is put off by a time of its own that is the same each day', () => {
    const one = delayOf('aabbccddeeff', 600);
    assert.ok(one >= 0 && one < 600_000);
    assert.equal(delayOf('aabbccddeeff', 600), one);
    assert.notEqual(delayOf('000000000001', 600), delayOf('000000000002', 600));
    const put = schedule({ jitter: 600 });
    const begin = time('2026-03-11T02:00').getTime() + one;
    assert.notEqual(text(dueSlot(put, new Date(begin - 1))), '2026-03-11T02:00');
    assert.equal(text(dueSlot(put, new Date(begin))), '2026-03-11T02:00');
  });
});

describe('the condition of backups', () => {
  const results = (lastSuccess?: string, lastFailure?: string) => ({
    since: time('2026-03-01T00:00'),
    lastSuccess: lastSuccess === undefined ? undefined : time(lastSuccess),
    lastFailure: lastFailure === undefined ? undefined : time(lastFailure),
  });
  const now = time('2026-03-11T10:00');
  test('is ok, failed, overdue, or not known yet', () => {
    assert.equal(conditionOf(schedule(), results('2026-03-11T02:03'), now), 'ok');
    assert.equal(conditionOf(schedule(), results('2026-03-10T02:03'), now), 'ok');
    assert.equal(conditionOf(schedule(), results('2026-03-09T02:03'), now), 'overdue');
    assert.equal(conditionOf(schedule(), results(), now), 'overdue');
    assert.equal(conditionOf(schedule(), { ...results(), since: time('2026-03-11T09:00') }, now), 'waiting');
    assert.equal(conditionOf(schedule(), results('2026-03-10T02:03', '2026-03-11T02:03'), now), 'failed');
    assert.equal(conditionOf(schedule(), results('2026-03-11T02:05', '2026-03-11T02:03'), now), 'ok');
  });
});
