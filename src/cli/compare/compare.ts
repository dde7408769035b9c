import { randomBytes } from 'node:crypto';
import { endOfTask } from '../../client/task-end.ts';
import { asMullionError, MullionError } from '../../contract/error-table.ts';
import { GIB, MIB } from '../../contract/sizes.ts';
import { TECHNIQUE_FACTS, type Technique, type TechniqueReport } from '../../contract/techniques.ts';
import { type Context, warn } from '../context.ts';
import { Guest } from './guest.ts';
import { Ledger } from './ledger.ts';
import { measureVps, type Plan, type Surroundings, stepsOf } from './measure-vps.ts';
import { MEASURES } from './measures.ts';
import { CompareProgress } from './progress.ts';
import type { Comparison, Subject, Values } from './result.ts';
import { PACKAGES } from './workloads.ts';

/** The image that is built when none is named. */
export const TOOLS_IMAGE = { name: 'compare/debian-12', suite: 'bookworm', include: [...PACKAGES] } as const;
const LIMITS = { cpus: 1, memory: 512 * MIB, disk: 4 * GIB } as const;
const PARTNER_MS = 300_000;
const PREFIX = 'compare-';
const MADE = /^compare-[0-9a-f]{6}-/;

export interface Wish {
  readonly techniques: readonly Technique[];
  readonly image: string | undefined;
  readonly quick: boolean;
}

export const planOf = (image: string, quick: boolean): Plan => ({
  image,
  limits: LIMITS,
  starts: quick ? 1 : 3,
  looks: quick ? 3 : 7,
  settleMs: quick ? 1_000 : 5_000,
  pace: quick ? { seconds: 1, fileSize: 32 * MIB } : { seconds: 5, fileSize: 256 * MIB },
});

/** Runs the same work in one VPS for each technique. Whatever happens, all that it made is deleted. */
export async function compare(context: Context, wish: Wish, signal: AbortSignal): Promise<Comparison> {
  const { client } = context;
  const [began, measuredAt] = [performance.now(), new Date().toISOString()];
  const reports = await client.call('techniques.list', { query: {}, signal });
  const chosen = reports.filter(({ id }) => wish.techniques.length === 0 || wish.techniques.includes(id));
  const able = chosen.filter(({ state }) => state === 'healthy');
  if (able.length === 0) throw noneToCompare(chosen);
  await tellOfOlder(context);
  const plan = planOf(wish.image ?? TOOLS_IMAGE.name, wish.quick);
  const ledger = new Ledger(context);
  using progress = new CompareProgress(
    context,
    able.map(({ id }) => id),
    able.length * stepsOf(plan),
  );
  try {
    if (wish.image === undefined) await ensureImage(context, ledger, progress, signal);
    else await client.call('images.info', { params: { name: wish.image }, query: context.project, signal });
    const info = await client.call('server.info', { signal });
    const tag = `${PREFIX}${randomBytes(3).toString('hex')}`;
    const surroundings = { client, query: context.project, signal, plan };
    const partner = partnerOf(surroundings, ledger.vps.bind(ledger), `${tag}-partner`);
    const { memoryAvailable } = info.host;
    const subjects: Subject[] = [];
    for (const report of chosen) {
      const onStep = (what: string): void => progress.step(report.id, what);
      const around = { ...surroundings, memoryAvailable, partner, onStep };
      subjects.push(await measured(around, ledger, report, `${tag}-${report.id}`));
      const last = subjects.at(-1);
      if (last?.state === 'failed') progress.finish(report.id, 'failed', last.reason);
      if (last?.state === 'measured') progress.finish(report.id, 'done', '');
    }
    const { node, version, host } = info;
    return {
      measuredAt,
      seconds: Math.round((performance.now() - began) / 1000),
      quick: wish.quick,
      image: plan.image,
      limits: plan.limits,
      host: { node, version, ...host },
      measures: MEASURES.map(({ id, title, unit, better, how }) => ({ id, title, unit, better, how })),
      techniques: subjects,
    };
  } finally {
    progress.at('delete what was made');
    await ledger.deleteAll();
  }
}

/** A comparison that was killed by force leaves VPSs, and nobody else knows whether they are still measured. */
async function tellOfOlder(context: Context): Promise<void> {
  const names = (await context.client.call('vps.list', { query: context.project }))
    .map(({ name }) => name)
    .filter((name) => MADE.test(name));
  if (names.length === 0) return;
  warn(
    context,
    `Another comparison runs, or one was killed: ${names.join(' ')}. Delete what is left of it with: mullion delete ${names.join(' ')} --force`,
  );
}

/** Never throws but when it is to end: a technique that breaks off is a result. */
async function measured(
  around: Surroundings,
  ledger: Ledger,
  report: TechniqueReport,
  name: string,
): Promise<Subject> {
  const { advantages, limits, name: title, driver } = TECHNIQUE_FACTS[report.id];
  const known = { technique: report.id, name: title, driver, advantages, limits };
  if (report.state !== 'healthy') {
    return { ...known, state: 'unavailable', reason: report.reason, remedy: report.remedy, values: {} };
  }
  const values: Values = {};
  try {
    await measureVps(around, report, ledger.vps(name), values);
    return { ...known, state: 'measured', reason: '', remedy: '', values };
  } catch (failure) {
    around.signal.throwIfAborted();
    const { message, remedy } = asMullionError(failure);
    return { ...known, state: 'failed', reason: message, remedy, values };
  } finally {
    await ledger.deleteVps(name);
  }
}

async function ensureImage(
  context: Context,
  ledger: Ledger,
  progress: CompareProgress,
  signal: AbortSignal,
): Promise<void> {
  const { client, project } = context;
  const { name, suite, include } = TOOLS_IMAGE;
  const images = await client.call('images.list', { query: project, signal });
  if (images.some((image) => image.name === name)) return;
  progress.at(`build the image ${name} with ${include.join(', ')}`);
  const body = { name, suite, include: [...include] };
  const begun = await client.call('images.build', { query: { ...project, wait: 0 }, body, signal });
  ledger.image(name, begun.id);
  const { error } = await endOfTask(client, begun, signal);
  progress.at('');
  if (error === null) return;
  throw new MullionError(
    'command_failed',
    `The image with the programs that measure could not be built: ${error.message}`,
    {
      remedy: 'Correct the cause, or compare with an image that is there: mullion compare --image NAME',
      cause: MullionError.fromBody(error),
    },
  );
}

/** Starts the VPS at the other end of the network when it is first wanted; answers its address. */
function partnerOf(
  { client, query, signal, plan }: Pick<Surroundings, 'client' | 'query' | 'signal' | 'plan'>,
  enter: (name: string) => string,
  name: string,
): () => Promise<string> {
  let address: Promise<string> | undefined;
  const begin = async (): Promise<string> => {
    const guest = new Guest(client, query, enter(name), signal);
    const { image, limits } = plan;
    const body = { image, name, technique: 'auto', want: ['density'], ...limits } as const;
    await guest.ended(
      await client.call('vps.launch', {
        query: { ...query, wait: 60 },
        body: { ...body, want: [...body.want] },
        signal,
      }),
    );
    await guest.answers(PARTNER_MS);
    const listens = ['sh', '-c', 'iperf3 --server --daemon && sleep 1'];
    const { code, output } = await guest.run(listens, PARTNER_MS);
    if (code !== 0) throw new MullionError('command_failed', `iperf3 did not start: ${output.trim()}`);
    const { addresses } = await client.call('vps.info', { params: { name }, query, signal });
    const [first] = addresses;
    if (first === undefined) throw new MullionError('command_failed', 'The VPSs have no network.');
    return first.replace(/\/.*/, '');
  };
  return () => {
    address ??= begin();
    return address;
  };
}

const noneToCompare = (reports: readonly TechniqueReport[]): MullionError =>
  new MullionError(
    'technique_unavailable',
    `This host can run none of these techniques. ${reports.map(({ id, reason }) => `${id}: ${reason}`).join(' ')}`,
    {
      remedy: reports.find(({ remedy }) => remedy !== '')?.remedy ?? 'See: mullion techniques',
      details: { reasons: reports.map(({ id, reason }) => `${id}: ${reason}`) },
    },
  );
