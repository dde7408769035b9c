import { MullionError } from '../contract/errors.ts';
import { VPS_STATES, type VpsState } from '../contract/vps.ts';

/** What can happen to a VPS: what a person asks, then what comes of it. */
export const LIFECYCLE_EVENTS = [
  'start',
  'stop',
  'restart',
  'pause',
  'resume',
  'delete',
  'deleteByForce',
  'set',
  'snapshot',
  'restore',
  'convert',
  'exec',
  'attach',
  'created',
  'started',
  'halted',
  'frozen',
  'exited',
  'died',
  'failed',
  'deleted',
] as const;
export type LifecycleEvent = (typeof LIFECYCLE_EVENTS)[number];
export type Outcome = VpsState | 'gone';

/** Every state with its legal moves; what is absent is refused. */
export const LIFECYCLE: Readonly<Record<VpsState, Readonly<Partial<Record<LifecycleEvent, Outcome>>>>> = {
  creating: {
    deleteByForce: 'deleting',
    created: 'stopped',
    started: 'running',
    exited: 'stopped',
    died: 'error',
    failed: 'error',
  },
  stopped: {
    start: 'starting',
    delete: 'deleting',
    deleteByForce: 'deleting',
    set: 'stopped',
    snapshot: 'stopped',
    restore: 'restoring',
    convert: 'migrating',
    exited: 'stopped',
    died: 'error',
    failed: 'error',
  },
  starting: {
    stop: 'stopping',
    deleteByForce: 'deleting',
    started: 'running',
    halted: 'stopped',
    exited: 'stopped',
    died: 'error',
    failed: 'error',
  },
  running: {
    stop: 'stopping',
    restart: 'stopping',
    pause: 'pausing',
    deleteByForce: 'deleting',
    set: 'running',
    snapshot: 'running',
    restore: 'restoring',
    convert: 'migrating',
    exec: 'running',
    attach: 'running',
    exited: 'stopped',
    died: 'error',
    failed: 'error',
  },
  pausing: {
    stop: 'stopping',
    deleteByForce: 'deleting',
    started: 'running',
    frozen: 'paused',
    exited: 'stopped',
    died: 'error',
    failed: 'error',
  },
  paused: {
    stop: 'stopping',
    restart: 'stopping',
    resume: 'starting',
    deleteByForce: 'deleting',
    set: 'paused',
    snapshot: 'paused',
    restore: 'restoring',
    convert: 'migrating',
    attach: 'paused',
    exited: 'stopped',
    died: 'error',
    failed: 'error',
  },
  stopping: {
    stop: 'stopping',
    start: 'starting',
    deleteByForce: 'deleting',
    attach: 'stopping',
    halted: 'stopped',
    exited: 'stopped',
    died: 'error',
    failed: 'error',
  },
  restoring: {
    deleteByForce: 'deleting',
    started: 'running',
    frozen: 'paused',
    halted: 'stopped',
    exited: 'stopped',
    failed: 'error',
  },
  migrating: {
    deleteByForce: 'deleting',
    started: 'running',
    frozen: 'paused',
    halted: 'stopped',
    exited: 'stopped',
    died: 'error',
    failed: 'error',
  },
  deleting: { delete: 'deleting', deleteByForce: 'deleting', deleted: 'gone', failed: 'error' },
  error: {
    start: 'starting',
    stop: 'stopping',
    delete: 'deleting',
    deleteByForce: 'deleting',
    set: 'error',
    snapshot: 'error',
    restore: 'restoring',
    convert: 'migrating',
    exited: 'stopped',
    died: 'error',
    halted: 'stopped',
    failed: 'error',
  },
};

export const move = (state: VpsState, event: LifecycleEvent): Outcome | undefined => LIFECYCLE[state][event];

const VERBS: Readonly<Partial<Record<LifecycleEvent, string>>> = {
  start: 'started',
  stop: 'stopped',
  restart: 'restarted',
  pause: 'paused',
  resume: 'resumed',
  delete: 'deleted',
  deleteByForce: 'deleted',
  set: 'changed',
  exec: 'worked in',
  attach: 'attached to',
  convert: 'converted',
};

/** The state that a legal move leads to. @throws MullionError `wrong_state` that names the state and what to do. */
export function requireMove(name: string, state: VpsState, event: LifecycleEvent): Outcome {
  const outcome = move(state, event);
  if (outcome !== undefined) return outcome;
  throw new MullionError(
    'wrong_state',
    `The VPS ${name} is in state ${state}; it cannot be ${VERBS[event] ?? event} now.`,
    { remedy: remedyFor(name, state, event), details: { name, state, event } },
  );
}

function remedyFor(name: string, state: VpsState, event: LifecycleEvent): string {
  if (event === 'start' && state === 'running') {
    return `Nothing to do; to boot it anew: mullion restart ${name}`;
  }
  if (event === 'stop' && state === 'stopped') return 'Nothing to do: it is stopped';
  switch (state) {
    case 'stopped':
      return `Start it first: mullion start ${name}`;
    case 'running':
      return event === 'delete'
        ? `Stop it first: mullion stop ${name}; or delete it as it runs: mullion delete ${name} --force`
        : 'Nothing to do: it runs';
    case 'paused':
      return event === 'delete'
        ? `Stop it first: mullion stop ${name}; or delete it as it is: mullion delete ${name} --force`
        : `Resume it first: mullion resume ${name}`;
    case 'error':
      return `See why with: mullion info ${name}; then start it again, or delete it`;
    case 'creating':
    case 'starting':
    case 'pausing':
    case 'stopping':
    case 'restoring':
    case 'migrating':
    case 'deleting':
      return 'Wait until what is under way has ended: mullion task list';
  }
}

/** The table as a Mermaid state diagram, for the documents. */
export function lifecycleDiagram(): string {
  const lines = VPS_STATES.flatMap((state) => {
    const moves = new Map<Outcome, LifecycleEvent[]>();
    for (const event of LIFECYCLE_EVENTS) {
      const outcome = move(state, event);
      if (outcome === undefined || outcome === state) continue;
      moves.set(outcome, [...(moves.get(outcome) ?? []), event]);
    }
    return [...moves].map(
      ([outcome, events]) => `  ${state} --> ${outcome === 'gone' ? '[*]' : outcome}: ${events.join(', ')}`,
    );
  });
  return ['stateDiagram-v2', '  [*] --> creating: launch', ...lines, ''].join('\n');
}
