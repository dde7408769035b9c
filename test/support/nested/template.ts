import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ping, runInGuest } from '../../../src/drivers/guest-agent/agent-commands.ts';
import { run } from '../../../src/host/run.ts';
import { digestOf } from '../../../src/images/recipe.ts';
import { waitForLock } from '../../../src/images/waiting-lock.ts';
import { BUNDLE_DISK } from './base-files.ts';
import { type BaseImage, cachedBase } from './base-image.ts';
import { forgetOld, NESTED_CACHE, use } from './cache-folder.ts';
import { type BootOptions, CONSOLE_LOG, type HostFiles, renderNestedHost } from './command-line.ts';
import { Emulator, freePort } from './emulator.ts';
import type { NestedKind } from './kinds.ts';
import { bundleSupply, cacheSupply, keep } from './supplies.ts';

const BOOT_MS = 900_000;
const INSTALL_MS = 600_000;

/** A booted nested host with Mullion's bundle unpacked, its memory in a file: clones start from it in a moment. */
export interface Template {
  readonly kind: NestedKind;
  readonly folder: string;
  readonly base: BaseImage;
  /** Where the bundle was unpacked inside. */
  readonly installed: string;
}

export const INSTALLED = '/opt/mullion';
const INSTALL = `
set -e
# On a busy machine, its disk may have come too late for fstab.
mountpoint -q /var/cache/mullion || mount /dev/disk/by-label/mullion-cache /var/cache/mullion
ls /var/cache/mullion/images/*/artifact.json
mkdir -p ${INSTALLED}
tar xzf ${BUNDLE_DISK} --strip-components=1 -C ${INSTALLED}
${INSTALLED}/mullion --version
`;

/** Why there can be no template; undefined when there can. */
export async function unfitForNested(kind: NestedKind): Promise<string | undefined> {
  const again = 'run npm test, which builds it';
  if ((await cachedBase(kind)) === undefined) return `no image of a nested ${kind.name} host: ${again}`;
  if ((await cacheSupply()) === undefined) return `no image debian/12 for nested hosts: ${again}`;
  return undefined;
}

/** The template of this checkout's bundle, from the cache or made now: about a minute. */
export async function ensureTemplate(kind: NestedKind): Promise<Template> {
  const [base, bundle, cache] = await Promise.all([cachedBase(kind), bundleSupply(), cacheSupply()]);
  if (base === undefined || cache === undefined) throw new Error(`${await unfitForNested(kind)}`);
  const { stdout: qemu } = await run(['qemu-system-x86_64', '--version']);
  const shape = renderNestedHost(optionsFor(kind, base, '/folder', '/bundle', 0, 'template'));
  const key = digestOf({ base: base.key, bundle: bundle.key, cache: cache.key, qemu, shape, INSTALL });
  const folder = join(NESTED_CACHE, `template-${kind.name}-${key.slice(0, 16)}`);
  const template: Template = { kind, folder, base, installed: INSTALLED };
  const lock = join(NESTED_CACHE, `template-${kind.name}.lock`);
  using _lock = await waitForLock(lock, new AbortController().signal);
  if (!existsSync(folder)) {
    await forgetOld(`template-${kind.name}-`);
    await rm(`${folder}.new`, { recursive: true, force: true });
    await mkdir(`${folder}.new`, { recursive: true, mode: 0o700 });
    await keep(bundle.path, join(`${folder}.new`, 'bundle'));
    await overlay(base.disk, 'raw', join(`${folder}.new`, 'root.qcow2'));
    await keep(cache.path, join(`${folder}.new`, 'cache.raw'));
    await make(kind, base, `${folder}.new`);
    await rename(`${folder}.new`, folder);
  }
  await Promise.all([use(folder), use(dirname(base.disk))]);
  return template;
}

/** A clone's own disks, in a folder of its own. */
export async function cloneFiles(template: Template, folder: string): Promise<HostFiles> {
  const { files } = optionsFor(
    template.kind,
    template.base,
    folder,
    join(template.folder, 'bundle'),
    0,
    'clone',
  );
  await Promise.all(
    (['root', 'cache'] as const).map((name) =>
      overlay(join(template.folder, `${name}.qcow2`), 'qcow2', files[name]),
    ),
  );
  return { ...files, memory: join(template.folder, 'memory') };
}

export const stateFile = (template: Template): string => join(template.folder, 'state');

function optionsFor(
  kind: NestedKind,
  base: BaseImage,
  folder: string,
  bundle: string,
  apiPort: number,
  memory: BootOptions['memory'],
): BootOptions {
  const { vmlinuz, initramfs, hypervisor } = base;
  const own = (name: string): string => join(folder, name);
  const files = {
    root: own('root.qcow2'),
    cache: own('cache.qcow2'),
    bundle,
    vmlinuz,
    initramfs,
    hypervisor,
    memory: own('memory'),
    folder,
  };
  return { kind, files, apiPort, memory };
}

async function make(kind: NestedKind, base: BaseImage, folder: string): Promise<void> {
  const sockets = await mkdtemp(join(tmpdir(), 'mullion-nested-'));
  try {
    // Named by its place beside it: the folder gets its final name once all is done.
    await overlay('cache.raw', 'raw', join(folder, 'cache.qcow2'));
    const options = optionsFor(kind, base, folder, join(folder, 'bundle'), await freePort(), 'template');
    await using emulator = await Emulator.start({ ...options, files: { ...options.files, folder: sockets } });
    try {
      await whenUp(emulator, kind);
      const installed = await runInGuest(emulator.agent, ['/bin/sh', '-c', INSTALL], INSTALL_MS);
      if (installed.code !== 0) throw new Error(`the bundle does not install: ${installed.stderr}`);
      await runInGuest(emulator.agent, ['/bin/sync'], INSTALL_MS);
      await emulator.saveState(join(folder, 'state'));
    } catch (failure) {
      const shown = await readFile(join(sockets, CONSOLE_LOG), 'latin1').catch(() => '');
      throw new Error(`no template of a nested ${kind.name} host; its console:\n${shown.slice(-3000)}`, {
        cause: failure,
      });
    }
  } finally {
    await rm(sockets, { recursive: true, force: true });
  }
}

/** Waits until the host has booted, its jobs are done and it is what it shall be. */
export async function whenUp(emulator: Emulator, kind: NestedKind, timeoutMs = BOOT_MS): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  const script = `systemctl is-system-running --wait >/dev/null; ${kind.proof}`;
  for (;;) {
    try {
      await ping(emulator.agent, 20_000);
      const { code } = await runInGuest(emulator.agent, ['/bin/sh', '-c', script], 120_000);
      if (code === 0) return;
    } catch (cause) {
      if (performance.now() > deadline) throw new Error('it did not boot in time', { cause });
    }
    if (!emulator.alive) throw new Error('QEMU has ended');
    if (performance.now() > deadline) throw new Error(`it has booted, but this does not hold: ${kind.proof}`);
    await sleep(200);
  }
}

async function overlay(backing: string, format: string, target: string): Promise<void> {
  await run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', backing, '-F', format, target]);
}
