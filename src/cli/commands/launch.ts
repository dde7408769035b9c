import { BUSES, FIRMWARES } from '../../contract/guest-devices.ts';
import type { LaunchPlan } from '../../contract/resources.ts';
import { RESTART_POLICIES } from '../../contract/restart-policies.ts';
import type { RouteBodyInput } from '../../contract/routes.ts';
import { TECHNIQUE_CHOICES, WISHES, type Wish } from '../../contract/technique-table.ts';
import { defineCommand } from '../command.ts';
import { type Context, printJson, say } from '../context.ts';
import { readTextFile } from '../files.ts';
import { firstWait, followTask, handedOver } from '../follow.ts';
import { sanitizeLine } from '../output/sanitize.ts';
import { renderTable } from '../output/table.ts';
import { usage } from '../parse.ts';
import { RATE_FLAGS, readRates } from '../rate-flags.ts';

export const command = defineCommand({
  summary: 'create a VPS from an image and start it',
  description:
    'The VPS gets its own operating system, limits and address. With technique auto Mullion picks the best one that this host has proved it can run and that the image allows, and says why; mullion info NAME repeats it.\n\nSizes are powers of 1024: 256M, 2G. Without a name one is made up.\n\nWith --warm a virtual machine starts from a memory template: a guest of the same image, size and project that has booted and stands still. The first such launch boots as usual and has the template made behind it, which takes as long as a boot; mullion task list shows it. Each VPS gets its own name, machine id, host keys, random numbers, clock and address. A template is dropped when the image, QEMU or the processor changes.',
  arguments: {
    image: { label: 'IMAGE', summary: 'what to start from, such as debian/12', complete: 'image' },
    name: { label: 'NAME', summary: 'its name and host name; made up when absent', arity: 'optional' },
  },
  flags: {
    technique: {
      kind: 'choice',
      choices: TECHNIQUE_CHOICES,
      summary: 'how it is virtualized; see mullion techniques',
      default: 'auto',
    },
    want: {
      kind: 'texts',
      value: 'WISH',
      summary: `what technique auto has to give: ${WISHES.join(', ')}`,
    },
    firmware: {
      kind: 'choice',
      choices: FIRMWARES,
      summary: 'of a guest that boots by a loader of its own; found out from its image when absent',
    },
    bus: {
      kind: 'choice',
      choices: BUSES,
      summary: 'disk and network devices of such a guest: virtio is faster, sata every system knows',
    },
    cpus: {
      kind: 'number',
      value: 'N',
      summary: 'processors; fractions where the technique can',
      default: '1',
    },
    memory: { kind: 'size', value: 'SIZE', summary: 'memory limit', default: '512M' },
    disk: { kind: 'size', value: 'SIZE', summary: 'disk limit', default: '4G' },
    pids: { kind: 'number', value: 'N', summary: 'most processes at one time', default: '1024' },
    ...RATE_FLAGS,
    network: {
      kind: 'text',
      value: 'NAME',
      summary: 'network to join',
      default: 'default',
      complete: 'network',
    },
    env: { kind: 'pairs', value: 'KEY=VALUE', summary: 'environment of the first process' },
    'ssh-key': {
      kind: 'texts',
      value: 'FILE',
      summary: 'public keys that may log in as root',
      complete: 'file',
    },
    'user-data': {
      kind: 'text',
      value: 'FILE',
      summary: 'a script that runs once, at the first start',
      complete: 'file',
    },
    restart: {
      kind: 'choice',
      choices: RESTART_POLICIES,
      summary: 'when it is started again after it ended by itself',
      default: 'on-failure',
    },
    autostart: {
      kind: 'boolean',
      summary: 'start it with the host even if it was stopped; else it comes back if it ran',
    },
    warm: {
      kind: 'boolean',
      summary: 'start from the memory of one that has booted, in under a second; full and hardware',
    },
    'no-start': { kind: 'boolean', summary: 'create it, but do not start it' },
    'dry-run': { kind: 'boolean', summary: 'print what would be done, and do nothing' },
  },
  examples: [
    { line: 'mullion launch debian/12 web', does: 'a VPS named web with the usual limits' },
    {
      line: 'mullion launch debian/12 db --memory 2G --disk 20G --cpus 1.5',
      does: 'with limits of its own',
    },
    {
      line: 'mullion launch debian/12 guest --network-out-rate 100M --disk-write-rate 20M',
      does: 'with at most 100 Mbit/s sent and 20 MiB/s written',
    },
    { line: 'mullion launch debian/12 lab --technique full', does: 'with a kernel of its own' },
    {
      line: 'mullion launch debian/12 lab --want own-kernel,density --dry-run',
      does: 'see which technique fits best',
    },
    { line: 'mullion launch installer new --firmware uefi', does: 'from an imported ISO or disk image' },
    { line: 'mullion launch debian/12 job --technique full --warm', does: 'from a memory template' },
    { line: 'mullion launch debian/12 web --ssh-key ~/.ssh/id_ed25519.pub', does: 'let yourself in by SSH' },
    { line: 'mullion launch debian/12 web --dry-run', does: 'see what would happen' },
  ],
  seeAlso: ['techniques', 'image build', 'set'],
  run: async (context, { arguments: { image, name }, flags }) => {
    const keys = flags['ssh-key'].flatMap(readKeys);
    const body: RouteBodyInput<'vps.launch'> = {
      image,
      ...(name === undefined ? {} : { name }),
      ...(flags.technique === undefined ? {} : { technique: flags.technique }),
      ...(flags.want.length === 0 ? {} : { want: flags.want.flatMap(readWishes) }),
      ...(flags.firmware === undefined ? {} : { firmware: flags.firmware }),
      ...(flags.bus === undefined ? {} : { bus: flags.bus }),
      ...(flags.cpus === undefined ? {} : { cpus: flags.cpus }),
      ...(flags.memory === undefined ? {} : { memory: flags.memory }),
      ...(flags.disk === undefined ? {} : { disk: flags.disk }),
      ...(flags.pids === undefined ? {} : { pids: flags.pids }),
      ...readRates(flags),
      ...(flags.network === undefined ? {} : { network: flags.network }),
      ...(Object.keys(flags.env).length === 0 ? {} : { env: flags.env }),
      ...(keys.length === 0 ? {} : { sshKeys: keys }),
      ...(flags['user-data'] === undefined ? {} : { userData: readTextFile(flags['user-data']) }),
      ...(flags.autostart ? { autostart: 'always' as const } : {}),
      ...(flags.restart === undefined ? {} : { restart: flags.restart }),
      ...(flags['no-start'] ? { start: false } : {}),
      ...(flags.warm ? { warm: true } : {}),
    };
    if (flags['dry-run']) {
      showPlan(context, await context.client.call('vps.plan', { query: context.project, body }));
      return 0;
    }
    const begun = await context.client.call('vps.launch', {
      query: { ...context.project, wait: firstWait(context) },
      body,
    });
    if (handedOver(context, begun)) return 0;
    const task = await followTask(context, begun);
    if (!context.json && context.quiet) return 0;
    const vps = await context.client.call('vps.info', {
      params: { name: task.target },
      query: context.project,
    });
    if (context.json) printJson(context, vps);
    const where = vps.addresses[0] === undefined ? '' : ` at ${vps.addresses[0]}`;
    say(context, `${sanitizeLine(vps.name)} is ${vps.state}${where} (technique ${vps.technique})`);
    if ((flags.technique ?? 'auto') === 'auto') say(context, sanitizeLine(vps.reason));
    return 0;
  },
});

/** One wish or several, with commas between them. */
const readWishes = (text: string): Wish[] =>
  text.split(',').map((word) => {
    const wish = WISHES.find((known) => known === word.trim());
    if (wish !== undefined) return wish;
    throw usage('launch', `--want takes ${WISHES.join(', ')}; not ${JSON.stringify(word)}.`);
  });

const readKeys = (path: string): string[] =>
  readTextFile(path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

function showPlan(context: Context, plan: LaunchPlan): void {
  if (context.json) {
    printJson(context, plan);
    return;
  }
  const { terminal } = context;
  terminal.print(`Technique ${plan.technique}: ${sanitizeLine(plan.reason)}`);
  terminal.print('');
  terminal.printAll(
    renderTable(
      [
        { title: 'STEP', value: (step) => step.action },
        { title: 'WHAT', value: (step) => step.description, shrink: 1, least: 20 },
      ],
      plan.steps,
      terminal.width,
      terminal.style,
    ),
  );
}
