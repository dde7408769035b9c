import { DIRECTIONS, RULE_ACTIONS, RULE_PROTOCOLS } from '../../contract/firewall-words.ts';
import { defineCommand } from '../command.ts';
import { printJson } from '../context.ts';
import { showGroup } from '../firewall-view.ts';
import { usage } from '../parse.ts';

const DIRECTION = new Map(DIRECTIONS.map((word) => [word as string, word]));

export const command = defineCommand({
  summary: 'add a rule to a firewall group',
  description:
    'The rule comes last; the first that fits a connection decides. A connection that was accepted goes on until it ends, whatever rules come later.',
  arguments: {
    group: { label: 'GROUP', summary: 'name of a group' },
    direction: { label: 'in|out', summary: 'begun by the other end, or by the VPS' },
  },
  flags: {
    action: { kind: 'choice', choices: RULE_ACTIONS, summary: 'what happens to it', default: 'accept' },
    protocol: { kind: 'choice', choices: RULE_PROTOCOLS, summary: 'which protocol', default: 'any' },
    port: { kind: 'texts', value: 'PORTS', summary: 'such as 443, 80,443 or 8000-8100; all when absent' },
    peer: {
      kind: 'text',
      value: 'PEER',
      summary: 'the other end: any, an address, a subnet, group:NAME or vps:NAME',
      default: 'any',
    },
  },
  examples: [
    {
      line: 'mullion firewall rule add web in --protocol tcp --port 80,443',
      does: 'a web server for everyone',
    },
    {
      line: 'mullion firewall rule add db in --protocol tcp --port 5432 --peer group:web',
      does: 'a database for these',
    },
    { line: 'mullion firewall rule add db out --action drop', does: 'one that begins nothing itself' },
  ],
  seeAlso: ['firewall info', 'firewall rule remove'],
  run: async (context, { arguments: { group: name, direction: word }, flags }) => {
    const direction = DIRECTION.get(word);
    if (direction === undefined) throw usage('firewall rule add', `"${word}" is neither in nor out.`);
    const group = await context.client.call('firewall.addRule', {
      params: { name },
      query: context.project,
      body: {
        direction,
        action: flags.action ?? 'accept',
        protocol: flags.protocol ?? 'any',
        ports: flags.port.flatMap((text) => text.split(',')),
        peer: flags.peer ?? 'any',
      },
    });
    if (context.json) printJson(context, group);
    else showGroup(context, group);
    return 0;
  },
});
