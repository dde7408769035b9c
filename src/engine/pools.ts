import { MullionError } from '../contract/errors.ts';
import { DEFAULT_PROJECT } from '../contract/names.ts';
import type { Pool } from '../contract/resources.ts';
import { formatSize } from '../contract/sizes.ts';
import { type Context, POOL_NAME } from './context.ts';
import type { PoolVerbs } from './contract.ts';
import { startTask } from './node-task.ts';
import { poolUsage } from './pool-usage.ts';

const POOL_QUEUE = 'pool';
/** A check takes hours where a pool is large; it may not keep that from growing. */
const CHECK_QUEUE = 'pool-check';

export function poolVerbs(context: Context): PoolVerbs {
  const { pool } = context.deps;
  const view = async (): Promise<Pool> => {
    const info = await pool.info();
    const warnings = [
      ...overcommitment(context, info.size),
      ...info.warnings.map(({ message, remedy }) => `${message} ${remedy}.`),
    ];
    return { name: POOL_NAME, ...info, warnings };
  };
  return {
    async list() {
      return [await view()];
    },
    async info(name) {
      requirePool(name);
      return view();
    },
    async usage(name) {
      requirePool(name);
      return poolUsage(context);
    },
    async check(name) {
      requirePool(name);
      const subject = { kind: 'pool.check', project: DEFAULT_PROJECT, target: name, vps: null };
      return startTask(context, CHECK_QUEUE, subject, (run) =>
        run.part('compare all data with its checksums', async (node) => {
          const { repaired } = await pool.check(
            (done, total) => node.measure({ done, total, unit: 'bytes' }),
            AbortSignal.any([run.signal, context.closing]),
          );
          if (repaired > 0) run.warn(repairedText(repaired));
        }),
      );
    },
    async grow(name, size) {
      requirePool(name);
      if (!pool.features.grow) {
        throw new MullionError('not_supported', `The pool ${name} cannot grow by itself.`, {
          remedy: 'Make the file system that it lies on larger',
        });
      }
      const current = await pool.info();
      if (size <= current.size) {
        throw new MullionError(
          'invalid_request',
          `The pool ${name} is ${formatSize(current.size)} large already; it can only become larger.`,
          { remedy: 'Name the new size of the whole pool', details: { size: current.size, asked: size } },
        );
      }
      // The default project's tasks are where an administrator looks.
      const subject = { kind: 'pool.grow', project: DEFAULT_PROJECT, target: name, vps: null };
      return startTask(context, POOL_QUEUE, subject, (run) =>
        run.part(`grow to ${formatSize(size)}`, (node) =>
          pool.grow(size, (done, total) => node.measure({ done, total, unit: 'bytes' })),
        ),
      );
    },
  };
}

const repairedText = (blocks: number): string =>
  `${blocks} damaged ${blocks === 1 ? 'block was' : 'blocks were'} found, and repaired from the second copy: look at the disk below, which may be failing (smartctl -a), and check again soon.`;

/** Disks are promised beyond the size of the pool, as hardly any is full: somebody has to watch. */
function overcommitment(context: Context, size: number): string[] {
  const promised = [...context.state.vps.values()].reduce((sum, { limits }) => sum + limits.disk, 0);
  if (promised <= size) return [];
  return [
    `VPSs were promised ${formatSize(promised)} of disk, and the pool has ${formatSize(size)}: watch its use, and grow it in time.`,
  ];
}

function requirePool(name: string): void {
  if (name === POOL_NAME) return;
  throw new MullionError('not_found', `There is no pool ${name}.`, {
    remedy: `There is one pool: ${POOL_NAME}`,
    details: { pool: name },
  });
}
