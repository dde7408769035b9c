import { createClient } from '../client/client.ts';
import { createNodeTransport } from '../client/node-transport.ts';
import { findTarget } from '../client/target.ts';
import type { Context } from './context.ts';
import { asksForJson, parseArguments, usage } from './parse.ts';
import { COMMANDS } from './registry.ts';
import { reportError } from './report-error.ts';
import { resolveCommand } from './resolve.ts';
import { openTerminal } from './terminal.ts';

/** Runs one command line and answers its exit code. */
export async function runCommandLine(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const words = argv[0] === '--version' || argv[0] === '-V' ? ['version', ...argv.slice(1)] : argv;
  // Errors of the parser must know whether they are wanted as JSON.
  const json = await wantsJson(words);
  const terminal = openTerminal(process.stdout, process.stderr, environment, json);
  try {
    if (argv[0] === '__complete') {
      const { complete } = await import('./completion/complete.ts');
      return await complete(argv.slice(1), environment, terminal);
    }
    const resolved = resolveCommand(words);
    if (resolved.kind !== 'command') {
      const { showOverviewOrGroup } = await import('./help/show.ts');
      return await showOverviewOrGroup(resolved, terminal, json);
    }
    const command = await COMMANDS[resolved.name]();
    const { input, global } = parseArguments(resolved.name, command, resolved.words);
    if (global.help) {
      const { showCommand } = await import('./help/show.ts');
      return await showCommand(resolved.name, terminal, global.json);
    }
    if (global.json && command.withoutJson !== undefined) {
      throw usage(resolved.name, `${resolved.name} cannot print JSON: ${command.withoutJson}.`);
    }
    const context: Context = {
      client: createClient(createNodeTransport(findTarget(environment))),
      terminal,
      environment,
      json: global.json,
      quiet: global.quiet,
      wait: global.wait,
      project: global.project === undefined ? {} : { project: global.project },
    };
    return (await command.run(context, input)) ?? 0;
  } catch (thrown) {
    return reportError(thrown, terminal, json);
  }
}

/** As far as the words tell, whichever command they mean. */
async function wantsJson(words: readonly string[]): Promise<boolean> {
  try {
    const resolved = resolveCommand(words);
    const command = resolved.kind === 'command' ? await COMMANDS[resolved.name]() : undefined;
    return asksForJson(command, resolved.words);
  } catch {
    return asksForJson(undefined, words);
  }
}
