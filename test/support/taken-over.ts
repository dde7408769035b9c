import { closeSync, cpSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CgroupLayout } from '../../src/host/cgroup-layout.ts';
import type { OciConfig, OciMount } from '../../src/host/oci/config.ts';
import { OciRuntime } from '../../src/host/oci/runtime.ts';
import { processStart, waitForExit } from '../../src/host/processes.ts';

const LIBRARIES = ['/usr/lib/x86_64-linux-gnu', '/usr/lib64'];
const PERL = '/usr/bin/perl';
const PATIENCE_MS = 180_000;

const readOnly = (path: string): OciMount => ({
  type: 'bind',
  source: path,
  destination: path,
  options: ['bind', 'ro', 'nosuid', 'nodev'],
});

/** Runs each program in a child of its own, one after the other, and prints what each said. */
const RUN_ALL = `my $n = shift; my @programs = splice @ARGV, 0, $n; $| = 1;
for my $i (0 .. $#programs) {
  pipe(my $read, my $write); my $child = fork;
  if (!$child) {
    open(STDOUT, '>&', $write); open(STDERR, '>&', $write); close $read; close $write;
    alarm 60; eval $programs[$i]; print "died: $@" if $@; exit
  }
  close $write; my $said = do { local $/; <$read> }; waitpid $child, 0;
  print "\x01", $said // '', $? & 127 ? ' ended by signal ' . ($? & 127) : '';
}`;

/**
 * The jail of a machine whose own process an attacker runs: made of the very configuration that the driver wrote, with
 * perl in the place of the machine's program, and what perl needs, read-only.
 */
export interface TakenOver {
  /** Of a machine that is prepared: its folder with config.json and the root. */
  readonly bundle: string;
  /** An empty folder of the caller's, which others may pass through. */
  readonly folder: string;
  readonly layout: CgroupLayout;
  /** That the machine's program would have from 3 on. */
  readonly descriptors: readonly number[];
}

/** What each of the programs printed, in order; they get `args`. */
export async function runTakenOver(
  { bundle, folder, layout, descriptors }: TakenOver,
  programs: readonly string[],
  args: readonly string[],
): Promise<string[]> {
  const root = join(folder, 'rootfs');
  cpSync(join(bundle, 'rootfs'), root, { recursive: true, verbatimSymlinks: true });
  for (const path of [...LIBRARIES, '/usr/bin']) mkdirSync(join(root, path), { recursive: true });
  writeFileSync(join(root, PERL), '');
  const written: OciConfig = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
  const id = `taken-${process.pid}`;
  const config: OciConfig = {
    ...written,
    root: { ...written.root, path: root },
    // Before the others: the machine's own parts lie in them.
    mounts: [...LIBRARIES.map(readOnly), readOnly(PERL), ...written.mounts],
    process: {
      ...written.process,
      terminal: false,
      env: ['PATH=/usr/bin'],
      args: [PERL, '-e', RUN_ALL, '--', String(programs.length), ...programs, ...args],
    },
    linux: { ...written.linux, cgroupsPath: `${written.linux.cgroupsPath}-taken` },
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const runtime = new OciRuntime({ stateDirectory: join(folder, 'oci'), layout });
  const output = join(folder, 'output');
  const log = openSync(output, 'w+');
  try {
    const pidFile = join(folder, 'pid');
    const { pid } = await runtime.create(folder, id, { pidFile, outputFd: log, extraFds: descriptors });
    const start = processStart(pid);
    await runtime.start(id);
    if (start !== undefined && !(await waitForExit(pid, start, PATIENCE_MS))) process.kill(pid, 'SIGKILL');
    return readFileSync(output, 'latin1').split('\x01').slice(1);
  } finally {
    closeSync(log);
    await runtime.delete(id, { force: true });
  }
}
