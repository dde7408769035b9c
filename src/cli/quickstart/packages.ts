import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MullionError } from '../../contract/error-table.ts';
import type { Runner } from '../../host/run.ts';
import { lineReader, parseAptStatus } from './apt-status.ts';
import { packagesOf, parsePackageList } from './package-list.ts';
import { RateMeter } from './rate.ts';
import { changed, found, type Report, type Setup, type Step } from './step.ts';

const APT_MS = 30 * 60_000;
const APT_ENV = { DEBIAN_FRONTEND: 'noninteractive' } as const;
/** Another apt may hold the lock: wait for it. Files that an administrator changed stay as they are. */
const APT = [
  'apt-get',
  '--quiet=2',
  '-o',
  'DPkg::Lock::Timeout=300',
  '-o',
  'Dpkg::Options::=--force-confdef',
  '-o',
  'Dpkg::Options::=--force-confold',
] as const;

/** Installs what is missing of debian-packages.txt. */
export const packagesStep: Step = {
  name: 'Debian packages',
  run: async (setup, report) => {
    const list = parsePackageList(readFileSync(join(setup.root, 'debian-packages.txt'), 'utf8'));
    const wanted = packagesOf(list, ['runtime'], process.arch);
    const missing = await missingPackages(setup.run, wanted);
    if (missing.length === 0) return found(`all ${wanted.length} are installed`);
    if (!existsSync('/usr/bin/apt-get')) {
      throw new MullionError('host_unfit', 'apt-get is not there, and packages are missing.', {
        remedy: `Install them by other means: ${missing.join(' ')}`,
        details: { missing },
      });
    }
    await install(setup, missing, report);
    const still = await missingPackages(setup.run, missing);
    if (still.length > 0) {
      throw new MullionError('host_unfit', `apt-get ended, but these are not installed: ${still.join(' ')}`, {
        remedy: `See why with: apt-get install ${still.join(' ')}`,
      });
    }
    return changed(`installed ${missing.length}: ${missing.join(' ')}`);
  },
};

/** Those of `wanted` that dpkg does not hold for fully installed. */
export async function missingPackages(run: Runner, wanted: readonly string[]): Promise<string[]> {
  const query = [
    'dpkg-query',
    '--show',
    '--showformat',
    '$' + '{Package} $' + '{db:Status-Status}\n',
    ...wanted,
  ];
  const { stdout } = await run(query, { okCodes: [0, 1] });
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return wanted.filter((name) => !installed.has(name));
}

async function install(setup: Setup, missing: readonly string[], report: Report): Promise<void> {
  const meter = new RateMeter(100);
  const options = { timeoutMs: APT_MS, env: APT_ENV, signal: setup.signal };
  try {
    // A dpkg that was killed leaves packages unpacked; apt fetches what they still need.
    await setup.run(['dpkg', '--configure', '-a', '--force-confdef', '--force-confold'], {
      ...options,
      okCodes: [0, 1],
    });
    report({ message: "reading the mirror's lists" });
    await setup.run([...APT, 'update'], options);
    await setup.run(
      [...APT, 'install', '--yes', '--fix-broken', '--no-remove', '--no-install-recommends'],
      options,
    );
    const onOutput = lineReader((line) => {
      const status = parseAptStatus(line);
      if (status === undefined) return;
      const done = status.phase === 'download' ? status.percent / 2 : 50 + status.percent / 2;
      const { rate, secondsLeft } = meter.measure(done, performance.now());
      report({ done, total: 100, unit: 'percent', rate, secondsLeft, message: status.message });
    });
    await setup.run(
      [...APT, '-o', 'APT::Status-Fd=1', 'install', '--yes', '--no-install-recommends', ...missing],
      { ...options, onOutput },
    );
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MullionError('host_unfit', `The Debian packages could not be installed: ${why}`, {
      remedy: 'Mend what apt names (the mirror, the network, a full disk), then run quickstart again',
      details: cause instanceof MullionError ? cause.details : {},
      cause,
    });
  }
}
