import type { Client } from '../../src/client/client.ts';
import { startStreamSession } from '../../src/client/stream-session.ts';
import { endOfTask } from '../../src/client/task-end.ts';
import type { Task } from '../../src/contract/tasks.ts';
import type { TestDaemon } from '../support/daemon.ts';
import { type Subject, timed } from './measure.ts';

const IMAGE = 'debian/12';

export async function ended(client: Client, started: Task): Promise<void> {
  const task = await endOfTask(client, started);
  if (task.error !== null) throw new Error(task.error.message);
}

/** Until a command that runs in the guest has ended well; asked again until the guest can. */
export async function execAnswers(client: Client, name: string): Promise<void> {
  const request = { argv: ['/bin/true'], env: {}, tty: false };
  for (const deadline = performance.now() + 300_000; performance.now() < deadline; ) {
    const socket = await client.socket('vps.exec', { params: { name } });
    const session = startStreamSession(socket, () => true, request);
    const code = await session.exit.catch(() => -1);
    session.close();
    if (code === 0) return;
  }
  throw new Error(`${name} did not answer`);
}

/** Launches a new VPS each round by `launch`, and deletes it outside the time. */
export function launching(
  { client }: TestDaemon,
  name: string,
  prefix: string,
  launch: (vps: string) => Promise<void>,
): Subject {
  return {
    name,
    run: async (round) => {
      const vps = `${prefix}${round}`;
      const milliseconds = await timed(() => launch(vps));
      await ended(
        client,
        await client.call('vps.delete', { params: { name: vps }, query: { force: 'true', wait: 60 } }),
      );
      return milliseconds;
    },
  };
}

export const apiLaunch =
  (client: Client) =>
  async (name: string): Promise<void> =>
    ended(
      client,
      await client.call('vps.launch', { body: { image: IMAGE, name, technique: 'os' }, query: { wait: 60 } }),
    );

export function launches(daemon: TestDaemon): Subject[] {
  const { client } = daemon;
  const byApi = apiLaunch(client);
  const byCommand = async (name: string): Promise<void> => {
    await daemon.ok(['launch', IMAGE, name, '--technique', 'os']);
  };
  return [
    launching(daemon, 'mullion launch, API, until running', 'a', byApi),
    launching(daemon, 'mullion launch, API, until exec answers', 'b', async (name) => {
      await byApi(name);
      await execAnswers(client, name);
    }),
    launching(daemon, 'mullion launch, command, until it returns', 'c', byCommand),
    launching(daemon, 'mullion launch, command, until mullion exec answers', 'd', async (name) => {
      await byCommand(name);
      await daemon.ok(['exec', name, '--', '/bin/true']);
    }),
  ];
}
