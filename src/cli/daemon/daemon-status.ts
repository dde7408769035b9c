import { defineCommand } from '../command.ts';
import { formatAge } from '../output/duration.ts';
import { printRecord } from '../print-record.ts';

export const command = defineCommand({
  summary: 'show whether the daemon answers',
  description: 'Shows its version, process and places. Exits 6 when none answers.',
  arguments: {},
  flags: {},
  examples: [{ line: 'mullion daemon status', does: 'is it there?' }],
  seeAlso: ['daemon start', 'doctor'],
  run: async (context) => {
    const info = await context.client.call('server.info');
    printRecord(context, info, [
      { label: 'Daemon', value: 'answers', tone: 'green' },
      { label: 'Address', value: context.client.address },
      { label: 'Version', value: info.version },
      { label: 'Build', value: info.build },
      { label: 'Node', value: info.node },
      { label: 'Process', value: String(info.pid) },
      { label: 'Started', value: `${info.startedAt} (up ${formatAge(info.startedAt, Date.now())})` },
      { label: 'State', value: info.stateDirectory },
      { label: 'Instance', value: info.instance },
    ]);
    return 0;
  },
});
