/**
 * A daemon of the sources whose containers of technique os begin with a program that sleeps, in place of the image's own,
 * so that what it does is in no measurement. With `MULLION_BENCH_BARE` it leaves out what keeps one VPS from the others and
 * from the host: its containers have the file system, the limits, the console and the link of a VPS, and of namespaces and
 * devices what crun gives by itself.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GuestViews } from '../../src/drivers/crun/view/guest-views.ts';
import { networkExecutors } from '../../src/engine/executors/network.ts';
import type { Executors } from '../../src/engine/executors/scope.ts';
import type { OciConfig } from '../../src/host/oci/config.ts';
import { OciRuntime } from '../../src/host/oci/runtime.ts';

const SLEEP = ['/bin/sleep', '3600'];
const isBare = process.env.MULLION_BENCH_BARE !== undefined;

/** As `crun spec` has it, of what keeps apart: no user namespace and ids, cgroup namespace, device rules, filter of calls. */
function bare(config: OciConfig): object {
  const { namespaces, cgroupsPath } = config.linux;
  const { capabilities: _own, ...first } = config.process;
  return {
    ...config,
    process: first,
    linux: { cgroupsPath, namespaces: namespaces.filter(({ type }) => type !== 'user' && type !== 'cgroup') },
  };
}

const create = OciRuntime.prototype.create;
OciRuntime.prototype.create = function (bundle, id, options) {
  // The probe and the monitors of machines are no VPSs of technique os.
  if (options.complete === undefined) return create.call(this, bundle, id, options);
  if (isBare) Reflect.set(this, 'ownClocks', false);
  const complete = async (): Promise<void> => {
    await options.complete?.();
    const path = join(bundle, 'config.json');
    const config: OciConfig = JSON.parse(readFileSync(path, 'utf8'));
    const sleeping = { ...config, process: { ...config.process, args: SLEEP } };
    writeFileSync(path, JSON.stringify(isBare ? bare(sleeping) : sleeping));
  };
  return create.call(this, bundle, id, { ...options, complete });
};

if (isBare) {
  Reflect.set(GuestViews.prototype, 'layOut', () => ({ [Symbol.dispose]: () => undefined }));
  GuestViews.prototype.give = async () => undefined;
  const admit: Executors['admit'] = ({ context, attachment }) =>
    context.deps.network.ensureNetwork(attachment.network);
  Reflect.set(networkExecutors, 'admit', admit);
}

// What is changed above must be so before the engine puts its parts together.
const { runDaemon } = await import('../../src/daemon.ts');
process.exitCode = await runDaemon(process.env);
