import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import { processStart } from '../../host/processes.ts';
import { ConsoleTerminal } from './console-terminal.ts';
import { listDomains } from './domains.ts';
import { PROBE_GUEST_TEXT, probeGuestKernel } from './probe-guest.ts';
import { createDomain, destroyDomain, unpauseDomain } from './toolstack.ts';
import { XenStore } from './xenstore.ts';

const TIME_LIMIT_MS = 10_000;
const PREFIX = 'mullion-probe-';

/** How a guest of a few bytes fared. */
export interface Trial {
  readonly outcome: 'ran' | 'silent' | 'failed';
  readonly message: string;
}

/** Runs a para-virtual guest that says a line on its console. @param folder for its files; the caller's */
export async function tryGuest(folder: string): Promise<Trial> {
  const name = `${PREFIX}${process.pid}`;
  const log = join(folder, 'console.log');
  let store: XenStore | undefined;
  let terminal: ConsoleTerminal | undefined;
  try {
    const kernel = join(folder, 'guest');
    const configuration = join(folder, 'xl.cfg');
    await writeFile(kernel, probeGuestKernel());
    await writeFile(
      configuration,
      `name = "${name}"\ntype = "pv"\nkernel = "${kernel}"\nmemory = 8\nvcpus = 1\non_poweroff = "preserve"\n`,
    );
    store = await XenStore.open();
    await sweep();
    await createDomain(configuration, name);
    const domain = (await listDomains()).find((candidate) => candidate.name === name)?.id;
    const deadline = performance.now() + TIME_LIMIT_MS;
    while (performance.now() < deadline) {
      const device = await store.read(`/local/domain/${domain}/console/tty`);
      if (terminal === undefined && device !== undefined && device !== '') {
        terminal = new ConsoleTerminal(device, log);
        await unpauseDomain(name);
      }
      const said = await readFile(log, 'latin1').catch(() => '');
      if (said.includes(PROBE_GUEST_TEXT)) return { outcome: 'ran', message: '' };
      await sleep(20);
    }
    return { outcome: 'silent', message: `a test guest said nothing within ${TIME_LIMIT_MS / 1000} seconds` };
  } catch (failure) {
    if (!(failure instanceof MullionError)) throw failure;
    return { outcome: 'failed', message: failure.message };
  } finally {
    terminal?.close();
    store?.close();
    await destroyDomain(name).catch(() => undefined);
  }
}

/** Takes away what probes left that were killed. */
async function sweep(): Promise<void> {
  for (const { name } of await listDomains()) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length)) : Number.NaN;
    if (pid === process.pid || (Number.isSafeInteger(pid) && processStart(pid) === undefined)) {
      await destroyDomain(name);
    }
  }
}
