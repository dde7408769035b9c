import type { ChildProcess } from 'node:child_process';
import { eventually } from './scratch.ts';
import type { VpsDoor } from './vps-door.ts';

const DATABASE = '/var/lib/data.db';

export const query = (daemon: VpsDoor, vps: string, statement: string): Promise<string> =>
  daemon.inside(vps, `sqlite3 -cmd '.timeout 60000' ${DATABASE} "${statement}"`);

/**
 * A database that the sqlite3 of the image `quick` writes to all the time, with pauses in which the guest that is backed up
 * has its processor. The log of its acknowledged commits is kept here, outside the guest.
 */
export class WriteLoad implements AsyncDisposable {
  /** Number of the last commit that was acknowledged. */
  acknowledged = 0;
  #child: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  static async start(daemon: VpsDoor, vps: string): Promise<WriteLoad> {
    const load = new WriteLoad();
    await query(daemon, vps, 'create table entry (number integer primary key, content blob)');
    const loop = `i=0; while true; do i=$((i+1)); sqlite3 ${DATABASE} "insert into entry values ($i, randomblob(3000))" || exit 1; echo $i; sleep 0.1; done`;
    let rest = '';
    load.#ended = daemon.cli(['exec', vps, '--', 'sh', '-c', loop], {
      timeoutMs: 2_400_000,
      onStart: (child) => {
        load.#child = child;
        child.stdout?.on('data', (text: string) => {
          const lines = (rest + text).split('\n');
          rest = lines.pop() ?? '';
          load.acknowledged = Number(lines.at(-1) ?? load.acknowledged);
        });
      },
    });
    await eventually('it writes', () => load.acknowledged >= 5, 120_000);
    return load;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }
}

export interface DatabaseState {
  readonly integrity: string;
  readonly count: number;
  readonly last: number;
}

/** The database's own check of itself, and what it holds. */
export async function readDatabase(daemon: VpsDoor, vps: string): Promise<DatabaseState> {
  const [integrity = '', count, last] = (
    await query(daemon, vps, 'pragma integrity_check; select count(*), max(number) from entry')
  ).split(/[\n|]/);
  return { integrity, count: Number(count), last: Number(last) };
}
