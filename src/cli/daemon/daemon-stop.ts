import { MullionError } from '../../contract/error-table.ts';
import { run } from '../../host/run.ts';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { answering } from '../quickstart/daemon-service.ts';
import { endDaemon } from './end-daemon.ts';

export const command = defineCommand({
  summary: 'stop the daemon; VPSs go on',
  description:
    'The daemon ends after the steps that are under way. VPSs never depend on it: they run on, and the next start finds them again.',
  arguments: {},
  flags: {},
  examples: [{ line: 'sudo mullion daemon stop', does: 'stop it and wait for its end' }],
  seeAlso: ['daemon start'],
  run: async (context) => {
    const running = await answering(context.client);
    if (running === undefined) {
      if (context.json) printJson(context, { stopped: false });
      else say(context, 'The daemon does not run');
      return 0;
    }
    if (!context.client.address.startsWith('/')) {
      throw new MullionError('invalid_request', 'The daemon is on another machine.', {
        remedy: 'Stop it there',
      });
    }
    await endDaemon(run, running.pid);
    if (context.json) printJson(context, { stopped: true, pid: running.pid });
    else say(context, 'The daemon is stopped; VPSs go on');
    return 0;
  },
});
