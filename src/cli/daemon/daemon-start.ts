import { loadConfig } from '../../config.ts';
import { createNaming } from '../../core/naming.ts';
import { run } from '../../host/run.ts';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { checkout } from '../quickstart/command.ts';
import { answering, startDaemon } from '../quickstart/daemon-service.ts';

export const command = defineCommand({
  summary: 'start the daemon in the background',
  description:
    'As the systemd unit mullion.service where systemd runs, else as a detached process with a pid file. VPSs that run are found again. A daemon that runs already is left alone.',
  arguments: {},
  flags: {},
  examples: [{ line: 'sudo mullion daemon start', does: 'start it and wait until it answers' }],
  seeAlso: ['daemon status', 'daemon run', 'quickstart'],
  run: async (context) => {
    const running = await answering(context.client);
    if (running !== undefined) {
      if (context.json) printJson(context, running);
      else say(context, `The daemon runs already, pid ${running.pid}`);
      return 0;
    }
    const config = loadConfig(context.environment);
    const { info, how } = await startDaemon({
      root: checkout(import.meta.dirname),
      environment: context.environment,
      naming: createNaming(config.stateDirectory, config.runDirectory),
      client: context.client,
      run,
    });
    if (context.json) printJson(context, info);
    else say(context, `The daemon runs ${how}, pid ${info.pid}`);
    return 0;
  },
});
