import { defineCommand } from '../command.ts';

export const command = defineCommand({
  summary: 'run the daemon in the foreground',
  description:
    'For a service manager, a container or a look at the log, which goes to standard error. SIGTERM and SIGINT end it; VPSs go on.',
  arguments: {},
  flags: {},
  examples: [{ line: 'sudo mullion daemon run', does: 'until Ctrl-C' }],
  seeAlso: ['daemon start'],
  withoutJson: 'it goes on until it is ended, and its log goes to standard error',
  run: async (context) => {
    const { runDaemon } = await import('../../daemon.ts');
    return runDaemon(context.environment);
  },
});
