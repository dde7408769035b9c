import { Readable } from 'node:stream';
import { backupHandlers } from './backups.ts';
import { fileHandlers } from './files.ts';
import { firewallHandlers } from './firewall.ts';
import { forwardHandlers } from './forwards.ts';
import type { PlainHandlers, StreamHandlers } from './handler.ts';
import { hostHandlers } from './host.ts';
import { imageHandlers } from './images.ts';
import { networkHandlers } from './networks.ts';
import { poolHandlers } from './pools.ts';
import { projectHandlers } from './projects.ts';
import { snapshotHandlers } from './snapshots.ts';
import { taskHandlers } from './tasks.ts';
import { tokenHandlers } from './tokens.ts';
import { vpsHandlers } from './vps.ts';

/** One handler a route: a route without one does not compile. */
export const PLAIN_HANDLERS: PlainHandlers = {
  ...vpsHandlers,
  ...fileHandlers,
  ...forwardHandlers,
  ...snapshotHandlers,
  ...imageHandlers,
  ...networkHandlers,
  ...firewallHandlers,
  ...projectHandlers,
  ...poolHandlers,
  ...backupHandlers,
  ...taskHandlers,
  ...hostHandlers,
  ...tokenHandlers,
};

export const STREAM_HANDLERS: StreamHandlers = {
  'vps.logs': (engine, { query, params, signal }) =>
    engine.vps.logs(query.project, params.name, { follow: query.follow, lines: query.lines, signal }),
  'metrics.read': async (engine) => Readable.from([await engine.metrics()]),
  'vps.screenshot': (engine, { query, params }) => engine.vps.screenshot(query.project, params.name),
  'backups.file': (engine, { query, params, signal }) =>
    engine.backups.file(query.project, params.id, query.path, signal),
  'images.download': (engine, { params }) => engine.images.download(params.task),
  'files.pull': (engine, { query, params }) => engine.files.pull(query.project, params.name, query.path),
};
