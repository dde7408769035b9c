import { readFileSync } from 'node:fs';
import { runCommand } from '../support/command.ts';
import { LAUNCHER, TestDaemon } from '../support/daemon.ts';
import { type Measurement, measure, type Subject, timed } from './measure.ts';

const COUNT = 1_000;
const AT_ONCE = 16;

/** A daemon whose VPSs are the fake driver's: what is measured is Mullion's own work. */
export async function thousandVps(
  rounds: number,
): Promise<{ measurements: Measurement[]; launchMs: number }> {
  await using daemon = await TestDaemon.start('bench-fake', {
    subnet: '10.64.0.0/16',
    config: { drivers: { os: 'fake' }, pool: { backend: 'dir' }, network: { enabled: false } },
  });
  await daemon.ensureImage();
  const launchMs = await timed(() => launchAll(daemon));
  const measurements = await measure(subjects(daemon), rounds);
  return { measurements, launchMs };
}

async function launchAll(daemon: TestDaemon): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < COUNT; index = next++) {
      const task = await daemon.client.call('vps.launch', {
        body: {
          image: 'debian/12',
          name: `v${index}`,
          technique: 'os',
          memory: '16M',
          disk: '16M',
          cpus: 0.05,
        },
        query: { wait: 60 },
      });
      if (task.error !== null) throw new Error(task.error.message);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function subjects(daemon: TestDaemon): Subject[] {
  const { client } = daemon;
  const command = (argv: readonly string[]) => async (): Promise<number> => {
    const result = await runCommand(argv, { env: daemon.environment });
    if (result.code !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr}`);
    return result.milliseconds;
  };
  return [
    { name: 'API round trip (GET /v1)', run: () => timed(() => client.call('server.info')) },
    { name: 'API list of 1,000 VPSs', run: () => timed(() => client.call('vps.list')) },
    { name: 'mullion list, 1,000 VPSs', run: command([LAUNCHER, 'list']) },
    { name: 'mullion version', run: command([LAUNCHER, 'version']) },
    { name: 'node -e 0 (the pinned Node)', run: command([process.execPath, '-e', '0']) },
    { name: 'node -e 0 (the Node of the system)', run: command(['node', '-e', '0']) },
    { name: 'daemon, resident, 1,000 VPSs', unit: 'MB', run: async () => residentMegabytes(daemon.pid) },
  ];
}

/** proc(5), /proc/pid/status, VmRSS. */
const residentMegabytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
