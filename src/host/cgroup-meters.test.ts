import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchDirectory } from '../../test/support/scratch.ts';
import { read } from './cgroup-files.ts';
import { type CgroupFolders, readMeters } from './cgroup-meters.ts';

const PRESSURE =
  'some avg10=1.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n';

test('meters come from cgroup2, or from v1 controllers where they are', () => {
  using scratch = scratchDirectory('meters');
  const [unified, v1] = [join(scratch.path, 'unified'), join(scratch.path, 'v1')];
  const put = (folder: string, files: Record<string, string>): void => {
    mkdirSync(folder);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  };
  put(unified, {
    'cpu.pressure': PRESSURE,
    'io.pressure': PRESSURE,
    'cpu.stat': 'usage_usec 2000000\nthrottled_usec 1500000\n',
    'memory.current': '5000\n',
    'memory.stat': 'anon 1\ninactive_file 1000\n',
    'pids.current': '3\n',
    'memory.events': 'low 0\noom 3\noom_kill 2\n',
    'io.stat':
      '8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n7:7 7:6 8:16 rbytes=1 wbytes=2 rios=3 wios=4\n7:0 \n(unknown) rbytes=9 wbytes=9\n',
  });
  put(v1, {
    'cpu.stat': 'nr_periods 5\nnr_throttled 2\nthrottled_time 500000000\n',
    'cpuacct.usage': '4000000000\n',
    'memory.usage_in_bytes': '7000\n',
    'memory.stat': 'inactive_file 1\ntotal_inactive_file 2000\n',
    'pids.current': '4\n',
    'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 7\n',
    'blkio.throttle.io_service_bytes_recursive':
      '7:0 Read 100\n7:0 Write 200\n8:0 Read 70\n8:0 Write 150\nTotal 520\n',
    'blkio.throttle.io_serviced_recursive': '7:0 Read 4\n7:0 Write 5\n7:1 Write 1\n8:0 Write 3\nTotal 13\n',
  });
  const pressure = { cpuWaitedSeconds: 2.5, ioStalledSeconds: 2.5, memoryStalledSeconds: undefined };
  const none = { cpu: undefined, cpuacct: undefined, pids: undefined, memory: undefined, blkio: undefined };
  const metersOf = (folders: CgroupFolders) => {
    const seen: string[] = [];
    const meters = readMeters(folders, (folder, file) => {
      seen.push(`${folder}/${file}`);
      return read(folder, file);
    });
    assert.deepEqual(seen.toSorted(), [...new Set(seen)].toSorted(), 'each file is read once');
    return meters;
  };
  assert.deepEqual(metersOf({ unified, ...none }), {
    ...pressure,
    ...{ cpuSeconds: 2, memory: 4000, processes: 3 },
    cpuThrottledSeconds: 1.5,
    oomKills: 2,
    ...{ diskRead: 11, diskWritten: 22, diskReads: 4, diskWrites: 6 },
  });
  assert.deepEqual(metersOf({ unified, cpu: v1, cpuacct: v1, pids: v1, memory: v1, blkio: v1 }), {
    ...pressure,
    ...{ cpuSeconds: 4, memory: 5000, processes: 4 },
    cpuThrottledSeconds: 0.5,
    oomKills: 7,
    ...{ diskRead: 100, diskWritten: 200, diskReads: 4, diskWrites: 6 },
  });
});
