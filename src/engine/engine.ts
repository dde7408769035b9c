import { Counters } from '../core/counters.ts';
import { auditVerbs, recordTaskEnds, TASKS } from './audit.ts';
import { watchSchedules } from './backups/schedules.ts';
import { removeScratchVolumes } from './backups/scratch-volume.ts';
import { backupVerbs } from './backups/verbs.ts';
import { bounded } from './bounded.ts';
import { type Context, type EngineDeps, TIMINGS } from './context.ts';
import type { Engine } from './contract.ts';
import { doctor } from './doctor.ts';
import { EarlyLinks } from './early-links.ts';
import { EventHub } from './event-hub.ts';
import { firewallVerbs } from './firewall.ts';
import { forwardVerbs } from './forwards.ts';
import { Holds } from './holds.ts';
import { collectReplaced, imageVerbs } from './images.ts';
import { KeyedQueue } from './keyed-queue.ts';
import { metricsOf } from './metrics.ts';
import { networkVerbs } from './networks.ts';
import { poolVerbs } from './pools.ts';
import { ensureDefaults, projectVerbs } from './projects.ts';
import { recover } from './recovery.ts';
import { concludeEnd } from './revival.ts';
import { fileVerbs } from './sessions.ts';
import { snapshotVerbs } from './snapshots.ts';
import { State } from './state.ts';
import { Interrupted } from './task-run.ts';
import { Tasks } from './tasks.ts';
import { Techniques } from './techniques.ts';
import { tokenVerbs } from './tokens.ts';
import { vpsVerbs } from './vps-verbs.ts';
import { collectTemplates } from './warm/templates.ts';

export type { EngineDeps } from './context.ts';
export type { Engine } from './contract.ts';

/** Puts the engine together; `open` brings it to life. */
export function createEngine(deps: EngineDeps): Engine {
  const clock = deps.clock ?? (() => new Date());
  const closing = new AbortController();
  const state = new State(deps.store);
  const events = new EventHub(clock);
  const counters = new Counters();
  counters.declare(TASKS, 'tasks that ended, by how');
  const context: Context = {
    deps,
    timings: { ...TIMINGS, ...deps.timings },
    clock,
    state,
    events,
    tasks: new Tasks(state, events, clock, deps.logger),
    queue: new KeyedQueue(),
    counters,
    watches: new Map(),
    earlyLinks: new EarlyLinks(),
    stalls: new Set(),
    concludeEnd: (record, end, stillWanted) => concludeEnd(context, record, end, stillWanted),
    revivals: new Map(),
    imagesLeaving: new Set(),
    imagesHeld: new Holds(),
    repositoriesHeld: new Holds(),
    scratchVolumes: new Set(),
    templatesUnderWay: new Set(),
    collectTemplates: () => collectTemplates(context),
    bootId: deps.host().bootId,
    closing: closing.signal,
  };
  const techniques = new Techniques(deps.drivers);
  const startedAt = clock().toISOString();

  return {
    vps: vpsVerbs(context, techniques),
    snapshots: snapshotVerbs(context, techniques),
    files: fileVerbs(context),
    forwards: forwardVerbs(context),
    images: imageVerbs(context),
    networks: networkVerbs(context),
    firewall: firewallVerbs(context),
    projects: projectVerbs(context),
    pools: poolVerbs(context),
    backups: backupVerbs(context, techniques),
    tasks: context.tasks,
    tokens: tokenVerbs(context),
    audit: auditVerbs(context),
    events,
    counters,
    metrics: metricsOf(context),
    techniques: (refresh) => techniques.all(refresh),
    doctor: () => doctor(context, techniques),
    serverInfo: async () => {
      const { distribution, kernel, processor, cpus, memoryTotal, memoryAvailable } = deps.host();
      return {
        version: deps.version,
        build: deps.build,
        api: 'v1',
        node: deps.nodeName,
        instance: deps.naming.instance,
        pid: process.pid,
        startedAt,
        stateDirectory: deps.naming.stateDirectory,
        host: { distribution, kernel, processor, cpus, memoryTotal, memoryAvailable },
      };
    },
    open: async () => {
      await state.load();
      void recordTaskEnds(context);
      await recover(context);
      await ensureDefaults(context);
      await removeScratchVolumes(context);
      watchSchedules(context);
      await collectReplaced(context);
      // The first launch need not wait for the probes.
      void techniques.all(false);
    },
    close: () => close(context, () => closing.abort(new Interrupted())),
  };
}

async function close(context: Context, announce: () => void): Promise<void> {
  announce();
  for (const kind of ['image.', 'backup.', 'template.']) context.tasks.cancelKind(kind, 'The daemon ends.');
  for (const stop of context.watches.values()) stop();
  context.watches.clear();
  for (const callOff of context.revivals.values()) callOff();
  context.revivals.clear();
  try {
    await bounded('finish what is under way', context.timings.close, context.queue.drained());
  } catch (failure) {
    context.deps.logger.warn('left unfinished what is under way', { failure });
  }
  for (const driver of new Set(context.deps.drivers.values())) driver.close?.();
  context.tasks.close();
  context.events.close();
}
