import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../config.ts';
import { MullionError } from '../../contract/error-table.ts';
import { createNaming } from '../../core/naming.ts';
import { run } from '../../host/run.ts';
import { BUILD } from '../../version.ts';
import { defineCommand } from '../command.ts';
import { type Context, printJson } from '../context.ts';
import { ProgressView } from './progress-view.ts';
import { type QuickstartResult, quickstart } from './quickstart.ts';

export const command = defineCommand({
  summary: 'set this machine up and launch a first VPS; safe to run again',
  description: [
    'Installs the Debian packages that are missing, makes the group mullion, starts the daemon, builds the image debian/12 and launches the VPS first.',
    '',
    'Each step looks first and does only what is missing, so a second run changes nothing, and a run after one that was interrupted goes on where that ended. After the checkout has changed or moved, it has the daemon run from what is there now; VPSs go on.',
    '',
    'Its steps are drawn on a terminal; elsewhere each is a line on standard error as it begins and as it ends.',
  ].join('\n'),
  arguments: {},
  flags: {},
  examples: [{ line: 'sudo ./mullion quickstart', does: 'in a fresh clone' }],
  seeAlso: ['launch', 'doctor', 'daemon status'],
  run: async (context) => {
    const config = loadConfig(context.environment);
    const setup = {
      root: checkout(import.meta.dirname),
      environment: context.environment,
      build: BUILD,
      config,
      naming: createNaming(config.stateDirectory, config.runDirectory),
      client: context.client,
      run,
      signal: undefined,
    };
    const show = new ProgressView(context);
    try {
      const result = await quickstart(setup, (progress) => show.update(progress));
      show.end();
      if (context.json) printJson(context, result);
      else context.terminal.printAll(ending(result, context));
    } finally {
      show.end();
    }
    return 0;
  },
});

/** The checkout that this file, or the bundle that holds it, lies in. */
export function checkout(from: string): string {
  for (let folder = from; folder !== '/'; folder = join(folder, '..')) {
    if (existsSync(join(folder, 'debian-packages.txt'))) return folder;
  }
  throw new MullionError('internal', `debian-packages.txt is in no folder above ${from}.`, {
    remedy: 'Run mullion from its complete checkout',
  });
}

function ending(result: QuickstartResult, context: Context): string[] {
  const { style } = context.terminal;
  const width = Math.max(...result.next.map(({ command: line }) => line.length));
  const lead = result.changed ? 'Ready.' : 'Ready; nothing had to be changed.';
  return [
    `${style('green', lead)} What to type next:`,
    ...result.next.map(
      ({ command: line, does }) => `  ${style('bold', line.padEnd(width))}  ${style('dim', does)}`,
    ),
  ];
}
