import { openCrunFixture } from './crun-fixture.ts';

/**
 * A daemon to be killed: makes and starts the container c1 in an existing folder, says so after each step, and lives on.
 * Arguments: the folder, the image's root file system, and `probe` where it shall try what the host can instead, without end.
 */
const [folder = '', rootfs = '', errand] = process.argv.slice(2);
const keep = { path: folder, [Symbol.dispose]: () => undefined };
const { driver, machine: make } = openCrunFixture({ id: 'small', rootfs }, 5_000, keep);
while (errand === 'probe') await driver.probe('os');
const machine = await make();
await driver.populate(machine);
process.stdout.write('populated\n');
const { handle } = await driver.prepare(machine);
process.stdout.write(`prepared ${JSON.stringify(handle)}\n`);
await driver.start(machine, handle);
process.stdout.write('started\n');
setInterval(() => undefined, 60_000);
