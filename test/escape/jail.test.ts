import assert from 'node:assert/strict';
import { chmodSync, closeSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Machine } from '../../src/drivers/driver.ts';
import { Cgroups } from '../../src/host/cgroups.ts';
import { openTap } from '../../src/host/tap.ts';
import type { DriverFixture } from '../conformance/drivers.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { openQemuFixture } from '../support/qemu-fixture.ts';
import { scratchDirectory } from '../support/scratch.ts';
import { NO_IMAGE, smallGuest } from '../support/small-guest.ts';
import { runTakenOver } from '../support/taken-over.ts';
import { openUmlFixture, umlUnfit } from '../support/uml-fixture.ts';
import { JAIL_ATTEMPTS } from './jail-attempts.ts';

const SECRET = 'a secret of the host';
const TAP = 'mvescape';

interface Kind {
  readonly name: string;
  readonly open: typeof openQemuFixture;
  readonly unfit: () => Promise<string | undefined>;
  readonly bundle: string;
  readonly sockets: (machine: Machine) => string;
}
const KINDS: readonly Kind[] = [
  {
    name: 'QEMU',
    open: openQemuFixture,
    unfit: async () => undefined,
    bundle: 'qemu-jail',
    sockets: () => '/run/sock',
  },
  {
    name: 'User-Mode Linux',
    open: openUmlFixture,
    unfit: umlUnfit,
    bundle: 'uml-jail',
    sockets: ({ runDirectory }) => join(runDirectory, 's'),
  },
];

if (enterPrivateNetns(import.meta.url)) {
  for (const kind of KINDS) {
    describe(`an attacker who has taken over the process of ${kind.name}`, () => {
      let unfit: string | undefined;
      let fixture: DriverFixture | undefined;
      let machine: Machine | undefined;
      const said = new Map<string, string>();
      let tap: number | undefined;
      const outside = scratchDirectory('jail-host');
      const secret = join(outside.path, 'secret');
      const listener = createServer((connection) => connection.destroy());

      before(async () => {
        const image = await smallGuest();
        if (process.arch !== 'x64') unfit = 'the numbers of system calls are those of x86-64';
        else if (image === undefined) unfit = NO_IMAGE;
        else unfit = await kind.unfit();
        if (unfit !== undefined || image === undefined) return;
        writeFileSync(secret, SECRET, { mode: 0o644 });
        await new Promise<void>((resolve) => listener.listen('\0mullion-escape', resolve));
        fixture = kind.open(image);
        machine = await fixture.machine();
        await fixture.driver.populate(machine);
        await fixture.driver.prepare(machine);
        const folder = join(outside.path, 'taken');
        mkdirSync(folder, { mode: 0o711 });
        chmodSync(outside.path, 0o711);
        tap = openTap(TAP);
        const all = Object.values(JAIL_ATTEMPTS).flat();
        const outputs = await runTakenOver(
          {
            bundle: join(machine.runDirectory, kind.bundle),
            folder,
            layout: new Cgroups().layout,
            descriptors: [tap],
          },
          all.map(({ program }) => program),
          [secret, String(process.pid), kind.sockets(machine)],
        );
        for (const [index, { name }] of all.entries())
          said.set(name, outputs[index] ?? 'it never came to that');
      });
      after(async () => {
        if (tap !== undefined) closeSync(tap);
        if (machine !== undefined) await fixture?.driver.remove(machine, undefined);
        await fixture?.close();
        listener.close();
        outside[Symbol.dispose]();
      });

      for (const [group, attempts] of Object.entries(JAIL_ATTEMPTS)) {
        describe(group, () => {
          for (const { name, gets } of attempts) {
            it(`does not get ${name}`, (t) => {
              if (unfit !== undefined) return t.skip(unfit);
              assert.match(said.get(name) ?? '', gets);
              assert.ok(!said.get(name)?.includes(SECRET));
            });
          }
        });
      }
    });
  }
}
