import { MullionError } from '../contract/errors.ts';
import type { StopRequest } from '../contract/vps.ts';
import { NO_REVIVAL } from '../core/restart-policy.ts';
import { requireRoomForVps } from './capacity-check.ts';
import { type Context, requireDriver } from './context.ts';
import type { VpsVerbs } from './contract.ts';
import { convert } from './convert.ts';
import { copy } from './copy.ts';
import { launch, planLaunch } from './launch.ts';
import { operate } from './operate.ts';
import type { VpsRecord } from './records.ts';
import { rename } from './rename.ts';
import { sessionVerbs } from './sessions.ts';
import { set } from './set.ts';
import type { Techniques } from './techniques.ts';
import { viewInfo, viewVps } from './view.ts';

export function vpsVerbs(context: Context, techniques: Techniques): VpsVerbs {
  const { state } = context;
  return {
    ...sessionVerbs(context),
    async list(project) {
      state.requireProject(project);
      return state
        .vpsOfProject(project)
        .map((record) => viewVps(context, record))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    async info(project, name) {
      return viewInfo(context, state.requireVps(project, name));
    },
    launch: (project, request) => launch(context, techniques, project, request),
    plan: (project, request) => planLaunch(context, techniques, project, request),
    convert: (project, name, request) => convert(context, techniques, project, name, request),
    copy: (project, name, request) => copy(context, project, name, request),
    rename: (project, name, next) => rename(context, project, name, next),
    async start(project, name) {
      const record = state.requireVps(project, name);
      requireDriver(context, record.technique);
      requireRoomForVps(context, record);
      return operate(context, record, { kind: 'vps.start', event: 'start', patch: () => toGoal('running') });
    },
    async stop(project, name, request) {
      return operate(context, state.requireVps(project, name), {
        kind: 'vps.stop',
        event: 'stop',
        patch: () => ({ ...toGoal('stopped'), shutdownMs: shutdownMs(request) }),
        ...(request.force ? { supersede: isStop } : {}),
      });
    },
    async restart(project, name, request) {
      return operate(context, state.requireVps(project, name), {
        kind: 'vps.restart',
        event: 'restart',
        patch: () => ({ ...toGoal('running'), bounce: true, shutdownMs: shutdownMs(request) }),
        ...(request.force ? { supersede: isStop } : {}),
      });
    },
    async pause(project, name) {
      const record = state.requireVps(project, name);
      requireAbilityToPause(context, record);
      return operate(context, record, { kind: 'vps.pause', event: 'pause', patch: () => toGoal('paused') });
    },
    async resume(project, name) {
      const record = state.requireVps(project, name);
      requireAbilityToPause(context, record);
      return operate(context, record, {
        kind: 'vps.resume',
        event: 'resume',
        patch: () => toGoal('running'),
      });
    },
    async delete(project, name, { force }) {
      return operate(context, state.requireVps(project, name), {
        kind: 'vps.delete',
        event: force ? 'deleteByForce' : 'delete',
        patch: () => ({ ...toGoal('absent'), shutdownMs: 0 }),
        ...(force ? { supersede: () => true } : {}),
      });
    },
    set: (project, name, changes) => set(context, state.requireVps(project, name), changes),
  };
}

/** A kill makes way through a shutdown that takes its time, not through a launch. */
const isStop = (kind: string): boolean => kind === 'vps.stop' || kind === 'vps.restart';

/** What a person wants ends what was due by itself. */
const toGoal = (goal: VpsRecord['goal']): Partial<VpsRecord> => ({
  goal,
  bounce: false,
  revival: NO_REVIVAL,
  lastWords: [],
});

const shutdownMs = ({ force, timeout }: StopRequest): number => (force ? 0 : timeout * 1000);

function requireAbilityToPause(context: Context, record: VpsRecord): void {
  if (requireDriver(context, record.technique).pause !== undefined) return;
  throw new MullionError(
    'not_supported',
    `The technique ${record.technique} of ${record.name} cannot pause.`,
  );
}
