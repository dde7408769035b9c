import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { formatForward, readForward } from '../forward-text.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'send a port of the host to a VPS',
  description:
    "What arrives at HOSTPORT on any of the host's addresses but ::1 goes to VPSPORT of the VPS. It holds until it is removed, also over restarts.",
  arguments: {
    name: VPS,
    forward: { label: 'HOSTPORT:VPSPORT[/udp]', summary: 'the two ports; tcp unless /udp is added' },
  },
  flags: {},
  examples: [
    { line: 'mullion forward add web 8080:80', does: "the host's port 8080 to its web server" },
    { line: 'mullion forward add dns 5353:53/udp', does: 'a UDP port' },
  ],
  seeAlso: ['forward list', 'forward remove'],
  run: async (context, { arguments: { name, forward } }) => {
    const added = await context.client.call('forwards.add', {
      params: { name },
      query: context.project,
      body: readForward(forward, 'forward add'),
    });
    if (context.json) printJson(context, added);
    else say(context, `${formatForward(added)} goes to ${name}`);
    return 0;
  },
});
