import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import type { Peer } from './api/authentication.ts';
import { startServer } from './api/server.ts';
import { BlockBackups } from './backup/disks/block-backups.ts';
import { ExtInspector } from './backup/disks/ext-inspector.ts';
import { ResticBackend } from './backup/restic/restic-backend.ts';
import { type Config, loadConfig } from './config.ts';
import { asMullionError, MullionError } from './contract/errors.ts';
import type { Logger } from './core/logger.ts';
import {
  auditLog,
  backupCacheDirectory,
  backupSecretsDirectory,
  cgroupRoot,
  conversionRunDirectory,
  createNaming,
  keyCgroup,
  lockFile,
  type Naming,
  pidFile,
  socketPath,
  storeFile,
} from './core/naming.ts';
import { checkCgroups, checkMemory, checkPool, checkPrograms, checkStore } from './doctor/checks.ts';
import { checkFirewall } from './doctor/forwarding.ts';
import { GuestViews } from './drivers/crun/view/guest-views.ts';
import { createDrivers } from './drivers/registry.ts';
import { createEngine } from './engine/engine.ts';
import { BoundedLog } from './host/bounded-log.ts';
import { Cgroups } from './host/cgroups.ts';
import { hostFacts } from './host/facts.ts';
import { groupId } from './host/groups.ts';
import { Jails } from './host/jail/jails.ts';
import { hostLoad } from './host/load.ts';
import { lockFile as takeLock } from './host/locks.ts';
import { createLogger } from './host/logger.ts';
import { peerCredentials, peerGroups } from './host/peers.ts';
import { run } from './host/run.ts';
import { UserNamespaces } from './host/user-namespaces.ts';
import { openConverter } from './images/convert/local-converter.ts';
import { openImageStore } from './images/local-image-store.ts';
import { createLinuxNetwork } from './network/linux-network.ts';
import { nullNetwork } from './network/null-network.ts';
import { openPool } from './storage/registry.ts';
import { openStore } from './store/registry.ts';
import { BUILD, VERSION } from './version.ts';

/** Members of this group may use the API's socket. */
const GROUP = 'mullion';
const AUDIT_FILE_BYTES = 16 * 1024 * 1024;
const AUDIT_FILES = 8;
/** How long what is open at the end may take to close by itself. */
const LEFT_OPEN_MS = 2_000;

/** A daemon that answers. */
export interface Daemon {
  /**
   * Stops answering and touches no guest. When no VPS is left, all that is Mullion's leaves the host; its data stays.
   */
  stop(): Promise<void>;
}

/** Puts the parts together. @throws MullionError `host_unfit` when another daemon has this state directory */
export async function startDaemon(config: Config, logger: Logger): Promise<Daemon> {
  const naming = createNaming(config.stateDirectory, config.runDirectory);
  await using closers = new AsyncDisposableStack();
  makeDirectories(naming);
  closers.use(holdLock(naming));

  const store = openStore({ kind: 'sqlite', path: storeFile(naming) });
  closers.defer(() => store.close());
  const pool = await openPool({ ...config.pool, ready: config.ready }, naming);
  const network = config.network.enabled ? createLinuxNetwork({ naming, logger }) : nullNetwork;
  const cgroups = new Cgroups();
  const jails = new Jails({ naming, cgroups });
  // A daemon that was killed as it made a key left it.
  await cgroups.remove(keyCgroup(naming));
  const images = await openImageStore({ pool, cacheDirectory: config.cacheDirectory, logger, jails });
  const userNamespaces = new UserNamespaces({ ahead: config.ready });
  closers.defer(() => userNamespaces.close());
  const views = new GuestViews(naming, logger);
  closers.defer(() => views.close());

  const audit = new BoundedLog({ path: auditLog(naming), fileBytes: AUDIT_FILE_BYTES, files: AUDIT_FILES });
  closers.defer(() => audit.close());

  const engine = createEngine({
    store,
    audit,
    pool,
    images,
    network,
    backups: new BlockBackups(
      new ResticBackend({
        secretsDirectory: backupSecretsDirectory(naming),
        cacheDirectory: backupCacheDirectory(naming),
        keyGroup: { cgroups, path: keyCgroup(naming) },
      }),
    ),
    disks: new ExtInspector(),
    converter: openConverter({
      jails,
      userNamespaces,
      runDirectory: conversionRunDirectory(naming),
    }),
    networked: config.network.enabled,
    drivers: createDrivers(
      { naming, cgroups, userNamespaces, views, keepApart: config.keepApart },
      config.drivers,
    ),
    naming,
    logger,
    nodeName: config.nodeName,
    version: VERSION,
    build: BUILD,
    defaultSubnet: config.network.ipv4,
    host: hostFacts,
    hostLoad,
    checks: [
      async () => checkPrograms(),
      async () => checkCgroups(),
      async () => checkMemory(),
      () => checkPool(pool),
      () => checkStore(store),
      ...(config.network.enabled ? [() => checkFirewall(naming, run)] : []),
    ],
  });
  await Promise.all([engine.open(), views.open()]);
  const server = await startServer({
    engine,
    version: VERSION,
    logger,
    socketPath: socketPath(naming),
    group: groupId(GROUP),
    identify,
    listen: config.listen,
  });
  writeFileSync(pidFile(naming), `${process.pid}\n`, { mode: 0o644 });
  logger.info('the daemon answers', {
    version: VERSION,
    build: BUILD,
    socket: socketPath(naming),
    pid: process.pid,
  });

  const resources = closers.move();
  return {
    stop: async () => {
      await server.close();
      await engine.close();
      if ((await pool.listVolumes()).length === 0) {
        await network.close();
        await pool.close();
        await views.remove();
        await cgroups.remove(cgroupRoot(naming));
      }
      rmSync(pidFile(naming), { force: true });
      await resources.disposeAsync();
      logger.info('the daemon has stopped');
    },
  };
}

/**
 * What holds machines can be passed through but not listed: a machine's own uid reaches its folder in it, by name. The
 * run directory is open to those who may use the socket in it; all else is root's.
 */
function makeDirectories({ stateDirectory, runDirectory }: Naming): void {
  for (const [path, mode] of [
    [stateDirectory, 0o711],
    [join(stateDirectory, 'logs'), 0o700],
    [join(stateDirectory, 'backup'), 0o700],
    [runDirectory, 0o755],
    [join(runDirectory, 'vps'), 0o711],
    [join(runDirectory, 'oci'), 0o700],
  ] as const) {
    mkdirSync(path, { recursive: true, mode });
    chmodSync(path, mode);
  }
}

function holdLock(naming: Naming): Disposable {
  const path = lockFile(naming);
  const lock = takeLock(path);
  if (lock !== undefined) return { [Symbol.dispose]: () => lock.release() };
  throw new MullionError('host_unfit', `Another daemon has the state directory ${naming.stateDirectory}.`, {
    remedy: 'Use that one, stop it with: mullion daemon stop, or set MULLION_STATE_DIR and MULLION_RUN_DIR',
  });
}

function identify(socket: Socket): Peer {
  const handle: unknown = Reflect.get(socket, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd !== 'number' || fd < 0) {
    throw new MullionError('unauthenticated', 'The client of the socket cannot be identified.');
  }
  const { uid, gid } = peerCredentials(fd);
  return { uid, gid, groups: uid === 0 ? [] : peerGroups(fd) };
}

/** What is still open must not keep a stopped daemon: it would hold the machines' only connections. */
function endSoon(logger: Logger): void {
  setTimeout(() => {
    logger.warn('ended with something open', { open: process.getActiveResourcesInfo() });
    process.exit(0);
  }, LEFT_OPEN_MS).unref();
}

/** Runs until SIGTERM or SIGINT; answers the exit code. */
export async function runDaemon(environment: Readonly<Record<string, string | undefined>>): Promise<number> {
  const logger = createLogger(process.stderr);
  const stopped = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
  process.on('unhandledRejection', (reason) => logger.error('unhandled rejection', { reason }));
  try {
    const daemon = await startDaemon(loadConfig(environment), logger);
    logger.info('stopping', { signal: await stopped });
    await daemon.stop();
    endSoon(logger);
    return 0;
  } catch (thrown) {
    const error = asMullionError(thrown);
    logger.error('the daemon cannot go on', { error, remedy: error.remedy });
    process.stderr.write(`error: ${error.message}\n  what to do: ${error.remedy}\n`);
    return error.entry.exitCode;
  }
}
