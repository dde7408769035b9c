import { createClient } from '../../src/client/client.ts';
import { createNodeTransport } from '../../src/client/node-transport.ts';
import { MIB } from '../../src/contract/sizes.ts';
import { DEFAULT_LIMITS } from '../../src/contract/vps.ts';
import { prepareDomain } from './bare-domain.ts';
import { bareMachine, groundOf } from './bare-ground.ts';
import { prepareQemu } from './bare-machines.ts';
import { ended, execAnswers } from './launches.ts';
import { measure, type Subject, timed } from './measure.ts';

// Runs inside a nested host, beside its daemon: `boots-inside TECHNIQUE ROUNDS`. Its last line is what it measured.
const technique: 'hardware' | 'para' = process.argv[2] === 'para' ? 'para' : 'hardware';
const rounds = Number(process.argv[3]);

const PATIENCE_MS = 60_000;
const client = createClient(createNodeTransport({ socketPath: '/run/mullion/api.sock' }));
const query = { wait: 60 };
const body = { image: 'debian/12', technique, memory: 256 * MIB, disk: 3 * 1024 * MIB };
const limits = { ...DEFAULT_LIMITS, memory: body.memory, disk: body.disk };

async function startBare(
  round: number,
): Promise<{ start(): Promise<AsyncDisposable & { answers(patienceMs: number): Promise<void> }> }> {
  const machine = bareMachine(technique, ...ground, limits, round);
  if (technique === 'para') return prepareDomain(machine);
  const prepared = await prepareQemu(machine);
  return { start: async () => prepared.start() };
}

const subjects: Subject[] = [
  {
    name: 'mullion launch',
    run: async (round) => {
      const name = `boot${round}`;
      const milliseconds = await timed(async () => {
        await ended(client, await client.call('vps.launch', { body: { ...body, name }, query }));
        await execAnswers(client, name);
      });
      const gone = await client.call('vps.delete', { params: { name }, query: { force: 'true', ...query } });
      await ended(client, gone);
      return milliseconds;
    },
  },
  {
    name: 'by hand',
    run: async (round) => {
      const prepared = await startBare(round);
      await using running = new AsyncDisposableStack();
      return await timed(async () => {
        await running.use(await prepared.start()).answers(PATIENCE_MS);
      });
    },
  },
];

// The image's parts are in the pool once a volume was filled from them.
const parts = { body: { ...body, name: 'parts', start: false }, query };
await ended(client, await client.call('vps.launch', parts));
const ground = groundOf('/var/lib/mullion/pool');
const measured = await measure(subjects, rounds, (round) => console.error(`round ${round + 1}`));
console.log(JSON.stringify(measured));
process.exit(0);
