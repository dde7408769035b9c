import { MullionError } from '../contract/errors.ts';
import { DEFAULT_PROJECT } from '../contract/names.ts';
import type { Pool } from '../contract/resources.ts';
import { formatSize } from '../contract/sizes.ts';
import { type Context, POOL_NAME } from './context.ts';
import type { PoolVerbs } from './contract.ts';
import { startTask } from './node-task.ts';

const POOL_QUEUE = 'pool';

export function poolVerbs(context: Context): PoolVerbs {
  const { pool } = context.deps;
  const view = async (): Promise<Pool> => ({ name: POOL_NAME, ...(await pool.info()) });
  return {
    async list() {
      return [await view()];
    },
    async info(name) {
      requirePool(name);
      return view();
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

function requirePool(name: string): void {
  if (name === POOL_NAME) return;
  throw new MullionError('not_found', `There is no pool ${name}.`, {
    remedy: `There is one pool: ${POOL_NAME}`,
    details: { pool: name },
  });
}
