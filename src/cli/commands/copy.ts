import { MullionError } from '../../contract/error-table.ts';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { firstWait, followTask, handedOver } from '../follow.ts';
import { sanitizeLine } from '../output/sanitize.ts';

export const command = defineCommand({
  summary: 'make a new VPS with the data of another',
  description:
    'The copy is a VPS of its own: with a name, address, MAC, machine id, SSH host keys and random seed that no other has, and with the limits, environment, keys and firewall groups of the source; forwards and snapshots are not copied. It takes no time and no space, whatever the size of the data, also while the source runs, which then is copied at one instant. It shares what it does not change with the source, and outlives it.\n\nThe copy is stopped at first, unless --start.',
  arguments: {
    source: { label: 'SRC[/SNAP]', summary: 'a VPS, or one of its snapshots', complete: 'vps' },
    name: { label: 'DST', summary: 'name of the new VPS' },
  },
  flags: { start: { kind: 'boolean', summary: 'start the copy' } },
  examples: [
    { line: 'mullion copy web web-test --start', does: 'try something on a running copy' },
    { line: 'mullion copy web/before-upgrade web-old', does: 'what web was at that snapshot' },
  ],
  seeAlso: ['snapshot create', 'launch'],
  run: async (context, { arguments: { source, name }, flags: { start } }) => {
    const [vps = '', snapshot, ...more] = source.split('/');
    if (more.length > 0 || vps === '' || snapshot === '') {
      throw new MullionError('invalid_request', `"${source}" is neither NAME nor NAME/SNAP.`, {
        remedy: 'See: mullion copy --help',
      });
    }
    const begun = await context.client.call('vps.copy', {
      params: { name: vps },
      query: { ...context.project, wait: firstWait(context) },
      body: { name, ...(snapshot === undefined ? {} : { snapshot }), ...(start ? { start } : {}) },
    });
    if (handedOver(context, begun)) return 0;
    await followTask(context, begun);
    if (!context.json && context.quiet) return 0;
    const copy = await context.client.call('vps.info', { params: { name }, query: context.project });
    if (context.json) printJson(context, copy);
    const where = copy.addresses[0] === undefined ? '' : ` at ${copy.addresses[0]}`;
    say(context, `${sanitizeLine(copy.name)} is a copy of ${sanitizeLine(source)}: ${copy.state}${where}`);
    return 0;
  },
});
