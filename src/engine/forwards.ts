import { MullionError } from '../contract/errors.ts';
import type { Forward } from '../contract/vps.ts';
import { bounded } from './bounded.ts';
import type { Context } from './context.ts';
import type { ForwardVerbs } from './contract.ts';
import { attachmentOf } from './machine.ts';
import type { VpsRecord } from './records.ts';
import { claims } from './state.ts';

export function forwardVerbs(context: Context): ForwardVerbs {
  const { state, queue } = context;
  return {
    async list(project, name) {
      return [...state.requireVps(project, name).forwards];
    },
    add: (project, name, forward) =>
      queue.run(state.requireVps(project, name).id, async () => {
        const record = state.requireVps(project, name);
        requireNetworked(context);
        const forwards = [...record.forwards, forward];
        requireFree(context, forward);
        const claim = claims.forward(forward.protocol, forward.hostPort);
        const operations = [
          state.vps.put({ ...record, forwards }),
          { type: 'put', key: claim, value: record.id },
        ] as const;
        if (!(await state.commit(operations, [claim]))) {
          state.vps.set(record);
          throw taken(forward, undefined);
        }
        try {
          await apply(context, record.id);
        } catch (failure) {
          await state.commit([
            withForwards(context, record.id, record.forwards),
            { type: 'delete', key: claim },
          ]);
          throw failure;
        }
        context.events.emit('vps.forward', project, name, { added: forward });
        return forward;
      }),
    remove: (project, name, protocol, hostPort) =>
      queue.run(state.requireVps(project, name).id, async () => {
        const record = state.requireVps(project, name);
        const isIt = (other: Forward): boolean => other.protocol === protocol && other.hostPort === hostPort;
        if (!record.forwards.some(isIt)) {
          throw new MullionError(
            'not_found',
            `The port ${hostPort}/${protocol} is not forwarded to ${name}.`,
            {
              remedy: `See what is with: mullion forward list ${name}`,
              details: { name, protocol, hostPort },
            },
          );
        }
        const rest = record.forwards.filter((other) => !isIt(other));
        state.vps.set({ ...record, forwards: rest });
        try {
          await apply(context, record.id);
        } catch (failure) {
          state.vps.set(record);
          throw failure;
        }
        await state.commit([
          withForwards(context, record.id, rest),
          { type: 'delete', key: claims.forward(protocol, hostPort) },
        ]);
        context.events.emit('vps.forward', project, name, { removed: { protocol, hostPort } });
      }),
  };
}

/** Rules exist only while the VPS is on its network; they come with it at the next start. */
async function apply(context: Context, id: string): Promise<void> {
  const record = context.state.vps.get(id);
  if (record === undefined || record.observed.network === 'none') return;
  const attachment = attachmentOf(context, record);
  if (attachment === undefined) return;
  await bounded('set its forwards', context.timings.step, context.deps.network.setForwards(attachment));
}

function withForwards(context: Context, id: string, forwards: readonly Forward[]) {
  const record = context.state.vps.get(id);
  if (record === undefined) throw new MullionError('not_found', `The VPS ${id} is gone.`);
  return context.state.vps.put({ ...record, forwards: [...forwards] });
}

function requireFree(context: Context, forward: Forward): void {
  const owner = [...context.state.vps.values()].find((record: VpsRecord) =>
    record.forwards.some(
      (other) => other.protocol === forward.protocol && other.hostPort === forward.hostPort,
    ),
  );
  if (owner !== undefined) throw taken(forward, owner);
}

const taken = ({ protocol, hostPort }: Forward, owner: VpsRecord | undefined): MullionError =>
  new MullionError(
    'in_use',
    `The host's port ${hostPort}/${protocol} is forwarded already${owner === undefined ? '' : `, to ${owner.name}`}.`,
    { remedy: 'Choose another host port', details: { protocol, hostPort } },
  );

function requireNetworked(context: Context): void {
  if (context.deps.networked) return;
  throw new MullionError('not_supported', 'Networks are switched off in the configuration.', {
    remedy: 'Set network.enabled in the configuration and start the daemon again',
  });
}
