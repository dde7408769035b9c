import { setImmediate } from 'node:timers/promises';
import { RATE_NAMES } from '../contract/rates.ts';
import type { Family, Labels, Sample } from '../core/exposition.ts';
import { renderExposition } from '../core/exposition.ts';
import { COOKIES, DROP_REASONS, dropCounterName } from '../core/firewall-counters.ts';
import { linkName } from '../core/naming.ts';
import type { DriverMeters } from '../drivers/driver.ts';
import type { Count, LinkUsage } from '../network/network.ts';
import { backupCondition } from './backups/condition.ts';
import { bounded } from './bounded.ts';
import type { Context } from './context.ts';
import { metersOf } from './loss.ts';
import type { VpsRecord } from './records.ts';

/** Scrapes within this time get the same answer: several readers cost as much as one. */
const FRESH_MS = 1_000;
/** VPSs that are read in one turn of the event loop. */
const TURN = 16;

interface Reading {
  readonly record: VpsRecord;
  readonly labels: Labels;
  readonly meters: DriverMeters | undefined;
  readonly disk: number | undefined;
  readonly link: LinkUsage | undefined;
  /** Packets that no rule of its firewall groups let in. */
  readonly refused: number | undefined;
}

export function metricsOf(context: Context): () => Promise<string> {
  let last: { readonly at: number; readonly text: Promise<string> } | undefined;
  return () => {
    if (last === undefined || performance.now() - last.at > FRESH_MS) {
      last = { at: performance.now(), text: collect(context) };
    }
    return last.text;
  };
}

async function collect(context: Context): Promise<string> {
  const { readings, counts } = await read(context);
  return renderExposition([
    ...nodeFamilies(context),
    ...vpsFamilies(readings),
    ...rateFamilies(readings),
    droppedFamily(counts),
    cookiesFamily(counts),
    ...backupFamilies(context),
    ...context.counters.families(),
  ]);
}

/** Each file of the host is read once. What cannot be read is left out. */
async function read(context: Context): Promise<{ readings: Reading[]; counts: ReadonlyMap<string, Count> }> {
  const { network, networked, naming, pool, logger } = context.deps;
  const ask = async <T>(what: string, question: () => Promise<T> | T): Promise<T | undefined> => {
    try {
      return await bounded(what, context.timings.question, Promise.resolve(question()));
    } catch (failure) {
      logger.warn('not measured', { what, failure });
      return undefined;
    }
  };
  const links = networked ? await ask('read the links', () => network.usageOfAll()) : undefined;
  const counts = networked ? await ask('read the firewall', () => network.firewallCounts()) : undefined;
  const readings: Reading[] = [];
  for (const record of [...context.state.vps.values()]) {
    readings.push({
      record,
      labels: { vps: record.name, project: record.project, technique: record.technique },
      meters: await ask('read the meters', () => metersOf(context, record)),
      disk:
        record.observed.volume === 'filled'
          ? (await ask('ask the pool', () => pool.usage(record.id)))?.used
          : undefined,
      link: links?.get(linkName(naming, record.slot)),
      refused: counts?.get(dropCounterName(record.id))?.packets,
    });
    // Files of the kernel are read without waiting: others are served between.
    if (readings.length % TURN === 0) await setImmediate();
  }
  return { readings, counts: counts ?? new Map() };
}

const droppedFamily = (counts: ReadonlyMap<string, Count>): Family => ({
  name: 'mullion_network_dropped_packets_total',
  type: 'counter',
  help: 'packets of all VPSs that were dropped, by reason',
  samples: DROP_REASONS.flatMap((reason) => one({ reason }, counts.get(reason)?.packets)),
});

const cookiesFamily = (counts: ReadonlyMap<string, Count>): Family => ({
  name: 'mullion_network_cookies_total',
  type: 'counter',
  help: 'connection requests that the host answered for VPSs whose forwards are flooded',
  samples: one({}, counts.get(COOKIES)?.packets),
});

const one = (labels: Labels, value: number | undefined): Sample[] =>
  value === undefined ? [] : [{ labels, value }];

function nodeFamilies({ deps, state, tasks }: Context): Family[] {
  const { cpus, memoryTotal, memoryAvailable } = deps.host();
  const load = deps.hostLoad();
  const gauge = (name: string, help: string, value: number): Family => ({
    name: `mullion_${name}`,
    type: 'gauge',
    help,
    samples: [{ labels: {}, value }],
  });
  const lost = (name: string, help: string, value: number | undefined): Family => ({
    name: `mullion_node_${name}_seconds_total`,
    type: 'counter',
    help,
    samples: one({}, value),
  });
  return [
    {
      ...gauge('info', 'version and name of this node', 1),
      samples: [{ labels: { version: deps.version, node: deps.nodeName }, value: 1 }],
    },
    gauge('node_cpus', 'processors of the host', cpus),
    gauge('node_memory_bytes', 'memory of the host', memoryTotal),
    gauge('node_memory_available_bytes', 'memory that could be had now', memoryAvailable),
    lost('cpu_stolen', 'a hypervisor below gave the processors to others', load.stolenSeconds),
    lost('cpu_waited', 'something wanted a processor and got none', load.cpuWaitedSeconds),
    lost('memory_stalled', 'something waited for memory', load.memoryStalledSeconds),
    lost('io_stalled', 'something waited for a disk', load.ioStalledSeconds),
    gauge('tasks_running', 'tasks under way', tasks.runningCount()),
    gauge('projects', 'projects', state.projects.size),
    gauge('daemon_memory_bytes', 'resident memory of the daemon', process.memoryUsage.rss()),
  ];
}

function vpsFamilies(readings: readonly Reading[]): Family[] {
  const family =
    (type: Family['type']) =>
    (name: string, help: string, value: (reading: Reading) => number | undefined): Family => ({
      name: `mullion_vps_${name}`,
      type,
      help,
      samples: readings.flatMap((reading) => one(reading.labels, value(reading))),
    });
  const [gauge, counter] = [family('gauge'), family('counter')];
  return [
    {
      name: 'mullion_vps_state',
      type: 'gauge',
      help: '1 for the state that it is in',
      samples: readings.map(({ labels, record }) => ({
        labels: { ...labels, state: record.state },
        value: 1,
      })),
    },
    gauge('cpus_limit', 'processors that it may use', ({ record }) => record.limits.cpus),
    counter('cpu_seconds_total', 'processor time that it got', ({ meters }) => meters?.cpuSeconds),
    counter(
      'cpu_waited_seconds_total',
      'some of its tasks wanted a processor and got none, be it for its limit, its neighbours or each other',
      ({ meters }) => meters?.cpuWaitedSeconds,
    ),
    counter(
      'cpu_throttled_seconds_total',
      'its own limit held it back, summed up over processors',
      ({ meters }) => meters?.cpuThrottledSeconds,
    ),
    gauge('memory_bytes', 'memory in use', ({ meters }) => meters?.memory),
    gauge('memory_limit_bytes', 'memory that it may use', ({ record }) => record.limits.memory),
    counter(
      'memory_stalled_seconds_total',
      'it waited for memory',
      ({ meters }) => meters?.memoryStalledSeconds,
    ),
    counter('oom_kills_total', 'processes killed inside its limit', ({ meters }) => meters?.oomKills),
    gauge('processes', 'processes and threads', ({ meters }) => meters?.processes),
    gauge('processes_limit', 'most processes', ({ record }) => record.limits.pids),
    gauge('disk_bytes', 'disk space in use', ({ disk }) => disk),
    gauge('disk_limit_bytes', 'disk space that it may use', ({ record }) => record.limits.disk),
    counter('disk_read_bytes_total', 'read from disks', ({ meters }) => meters?.diskRead),
    counter('disk_written_bytes_total', 'written to disks', ({ meters }) => meters?.diskWritten),
    counter('disk_reads_total', 'reads from disks', ({ meters }) => meters?.diskReads),
    counter('disk_writes_total', 'writes to disks', ({ meters }) => meters?.diskWrites),
    counter('io_stalled_seconds_total', 'it waited for a disk', ({ meters }) => meters?.ioStalledSeconds),
    counter('network_received_bytes_total', 'bytes to it', ({ link }) => link?.networkIn),
    counter('network_sent_bytes_total', 'bytes from it', ({ link }) => link?.networkOut),
    counter(
      'firewall_refused_packets_total',
      'packets that its groups did not let in',
      ({ refused }) => refused,
    ),
  ];
}

const RATE_LIMITS: Readonly<Record<(typeof RATE_NAMES)[number], readonly [name: string, help: string]>> = {
  diskReadRate: ['disk_read_limit_bytes_per_second', 'most that it may read from disks'],
  diskWriteRate: ['disk_written_limit_bytes_per_second', 'most that it may write to disks'],
  diskReadOps: ['disk_reads_limit_per_second', 'most reads from disks'],
  diskWriteOps: ['disk_writes_limit_per_second', 'most writes to disks'],
  networkInRate: ['network_received_limit_bits_per_second', 'most that comes to it'],
  networkOutRate: ['network_sent_limit_bits_per_second', 'most that it may send'],
};

/** Only of VPSs that have such a limit. */
const rateFamilies = (readings: readonly Reading[]): Family[] =>
  RATE_NAMES.map((rate) => {
    const [name, help] = RATE_LIMITS[rate];
    return {
      name: `mullion_vps_${name}`,
      type: 'gauge',
      help,
      samples: readings.flatMap(({ labels, record }) => one(labels, record.limits[rate] || undefined)),
    };
  });

/** Only of VPSs that have a schedule. */
function backupFamilies(context: Context): Family[] {
  const scheduled = [...context.state.schedules.values()].flatMap((schedule) => {
    const record = context.state.vps.get(schedule.id);
    return record === undefined
      ? []
      : [
          {
            schedule,
            condition: backupCondition(context, schedule.id),
            labels: { vps: record.name, project: record.project },
          },
        ];
  });
  return [
    {
      name: 'mullion_vps_backup_last_success_timestamp_seconds',
      type: 'gauge',
      help: 'when its last scheduled backup succeeded',
      samples: scheduled.flatMap(({ schedule: { lastSuccessAt }, labels }) =>
        one(labels, lastSuccessAt === null ? undefined : Date.parse(lastSuccessAt) / 1000),
      ),
    },
    {
      name: 'mullion_vps_backup_overdue',
      type: 'gauge',
      help: '1 when a scheduled backup should have succeeded by now and has not',
      samples: scheduled.map(({ condition, labels }) => ({ labels, value: condition === 'overdue' ? 1 : 0 })),
    },
    {
      name: 'mullion_vps_backup_failed',
      type: 'gauge',
      help: '1 when its last scheduled backup failed',
      samples: scheduled.map(({ condition, labels }) => ({ labels, value: condition === 'failed' ? 1 : 0 })),
    },
  ];
}
