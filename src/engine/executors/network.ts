import { bounded } from '../bounded.ts';
import { applyFirewall } from '../firewall-rules.ts';
import type { Executors } from './scope.ts';

/** Steps on a VPS's place on its network. */
export const networkExecutors: Pick<Executors, 'admit' | 'connect' | 'detach'> = {
  /** Its rules are there before it is connected. */
  admit: ({ context, id, attachment }) => {
    const admission = async (): Promise<void> => {
      await bounded('reserve its addresses', context.timings.step, context.deps.network.admit(attachment));
      await applyFirewall(context);
    };
    return context.earlyLinks.admit(id, admission());
  },

  connect: async ({ context, id, attachment, runtime }) => {
    if (context.earlyLinks.takeConnected(id)) return;
    await bounded(
      'connect it to the network',
      context.timings.step,
      context.deps.network.connect(attachment, runtime.link),
    );
  },

  detach: ({ context, attachment }) =>
    bounded('disconnect it from the network', context.timings.step, context.deps.network.detach(attachment)),
};
