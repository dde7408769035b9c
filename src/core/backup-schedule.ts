import { createHash } from 'node:crypto';
import type { BackupCondition } from '../contract/backups.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

export interface Schedule {
  /** Of the VPS: puts runs of one time apart. */
  readonly id: string;
  /** As `SchedulePatternSchema` has it; times are UTC. */
  readonly at: string;
  /** Most seconds that a run is put off. */
  readonly jitter: number;
  /** Runs before it are not owed. */
  readonly since: Date;
  /** The time of the latest run that was begun, as the pattern has it. */
  readonly lastSlot: Date | undefined;
}

/** The latest time of the pattern that is not after `time`. */
export function slotBefore(at: string, time: Date): Date {
  const [kind = '', ...rest] = at.split(' ');
  const minutes = minutesOf(rest.at(-1) ?? ':00');
  switch (kind) {
    case 'hourly':
      return floorTo(time, HOUR, minutes * MINUTE);
    case 'daily':
      return floorTo(time, DAY, minutes * MINUTE);
    case 'weekly': {
      // 1970-01-01 was a Thursday.
      const weekday = (WEEKDAYS.indexOf(rest[0] ?? 'sun') + 3) % 7;
      return floorTo(time, 7 * DAY, weekday * DAY + minutes * MINUTE);
    }
    default:
      return monthly(Number(rest[0]), minutes, time);
  }
}

/** The first time of the pattern that is after `time`. */
export function slotAfter(at: string, time: Date): Date {
  const before = slotBefore(at, time);
  const longest = at.startsWith('hourly') ? HOUR : at.startsWith('daily') ? DAY : 32 * DAY;
  if (at.startsWith('weekly')) return new Date(before.getTime() + 7 * DAY);
  return slotBefore(at, new Date(before.getTime() + longest));
}

/** How long this VPS waits after each time of its pattern: always the same, so that runs stay as far apart. */
export function delayOf(id: string, jitter: number): number {
  if (jitter <= 0) return 0;
  return createHash('sha256').update(`jitter:${id}`).digest().readUInt32BE(0) % (jitter * 1000);
}

/**
 * The time of the pattern whose run is owed now; undefined when none is. Of runs that were missed while nobody could do
 * them, the latest is owed.
 */
export function dueSlot(schedule: Schedule, now: Date): Date | undefined {
  const delay = delayOf(schedule.id, schedule.jitter);
  const slot = slotBefore(schedule.at, new Date(now.getTime() - delay));
  const done = schedule.lastSlot ?? schedule.since;
  return slot > done ? slot : undefined;
}

/** When the next run begins; not after `now` when one is owed already. */
export function nextRun(schedule: Schedule, now: Date): Date {
  const delay = delayOf(schedule.id, schedule.jitter);
  const slot = dueSlot(schedule, now) ?? slotAfter(schedule.at, new Date(now.getTime() - delay));
  return new Date(slot.getTime() + delay);
}

export interface Results {
  readonly since: Date;
  readonly lastSuccess: Date | undefined;
  readonly lastFailure: Date | undefined;
}

/** `overdue`: for two whole periods there has been no good backup. */
export function conditionOf(schedule: Schedule, results: Results, now: Date): BackupCondition {
  const { since, lastSuccess, lastFailure } = results;
  const good = lastSuccess ?? since;
  const latest = slotBefore(schedule.at, new Date(now.getTime() - schedule.jitter * 1000));
  const earlier = slotBefore(schedule.at, new Date(latest.getTime() - 1));
  if (lastFailure !== undefined && (lastSuccess === undefined || lastFailure > lastSuccess)) return 'failed';
  if (good < earlier) return 'overdue';
  return lastSuccess === undefined ? 'waiting' : 'ok';
}

function minutesOf(clock: string): number {
  const [hours = '', minutes = ''] = clock.split(':');
  return Number(hours) * 60 + Number(minutes);
}

function floorTo(time: Date, period: number, offset: number): Date {
  return new Date(Math.floor((time.getTime() - offset) / period) * period + offset);
}

function monthly(day: number, minutes: number, time: Date): Date {
  const inMonth = (month: number): Date => new Date(Date.UTC(time.getUTCFullYear(), month, day, 0, minutes));
  const here = inMonth(time.getUTCMonth());
  return here <= time ? here : inMonth(time.getUTCMonth() - 1);
}
