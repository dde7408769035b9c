import { MullionError } from '../../contract/error-table.ts';
import { formatSize } from '../../contract/size-text.ts';
import { found, type Step } from './step.ts';

/** The daemon makes the pool when it starts; this says what came of it. */
export const poolStep: Step = {
  name: 'storage pool',
  run: async ({ client }) => {
    const [pool] = await client.call('pools.list');
    if (pool === undefined) {
      throw new MullionError('host_unfit', 'The daemon has no storage pool.', {
        remedy: 'Run: mullion doctor',
      });
    }
    const text = `${pool.backend}, ${formatSize(pool.free)} of ${formatSize(pool.size)} free`;
    return found([text, ...pool.warnings].join('; '));
  },
};
