import { formatSize } from '../../contract/size-text.ts';
import { defineCommand } from '../command.ts';
import { formatAge, formatDuration } from '../output/duration.ts';
import { printRecord } from '../print-record.ts';
import { describeRates } from '../rate-view.ts';
import { VPS } from '../vps-argument.ts';
import { stateText, stateTone } from '../vps-view.ts';

/** Lines of what a dead VPS said last; all of them are in its log. */
const LAST_WORDS = 8;

export const command = defineCommand({
  summary: 'show one VPS with its usage and limits',
  description: 'Shows what the VPS is, what it uses of its limits now, and what waits for its next start.',
  arguments: { name: VPS },
  flags: {},
  examples: [
    { line: 'mullion info web', does: 'everything about web' },
    { line: 'mullion info web --json | jq .usage.memory', does: 'bytes of memory that it uses' },
  ],
  seeAlso: ['list', 'top', 'set'],
  run: async (context, { arguments: { name } }) => {
    const vps = await context.client.call('vps.info', { params: { name }, query: context.project });
    const { usage, limits } = vps;
    const share = (used: number, limit: number): string =>
      `${formatSize(used)} of ${formatSize(limit)} (${limit === 0 ? 0 : Math.round((used / limit) * 100)}%)`;
    const now = Date.now();
    printRecord(context, vps, [
      { label: 'Name', value: vps.name, tone: 'bold' },
      { label: 'Project', value: vps.project },
      { label: 'State', value: stateText(vps), tone: stateTone(vps.state) },
      { label: 'Message', value: vps.message, tone: 'yellow' },
      { label: 'Technique', value: `${vps.technique} (driver ${vps.driver})` },
      { label: 'Why', value: vps.reason },
      { label: 'Image', value: vps.image },
      { label: 'Network', value: vps.network },
      { label: 'Addresses', value: vps.addresses.join(' ') },
      { label: 'MAC', value: vps.mac },
      {
        label: 'Forwards',
        value: vps.forwards.map((f) => `${f.hostPort}:${f.vpsPort}/${f.protocol}`).join(' '),
      },
      {
        label: 'Processors',
        value: `${limits.cpus}, ${formatDuration(usage.cpuSeconds)} of processor time used`,
      },
      { label: 'Memory', value: share(usage.memory, limits.memory) },
      { label: 'Disk', value: share(usage.disk, limits.disk) },
      { label: 'Processes', value: `${usage.processes ?? 'unknown'} of ${limits.pids}` },
      {
        label: 'Traffic',
        value: `${formatSize(usage.networkIn)} in, ${formatSize(usage.networkOut)} out`,
      },
      { label: 'Rates', value: describeRates(limits) },
      { label: 'Snapshots', value: vps.snapshots.map((snapshot) => snapshot.name).join(' ') },
      ...vps.lastWords
        .slice(-LAST_WORDS)
        .map((value, index) => ({ label: index === 0 ? 'Last words' : '', value, tone: 'dim' as const })),
      { label: 'Restart', value: vps.restart },
      { label: 'Autostart', value: vps.autostart },
      { label: 'At next start', value: vps.pendingRestart.join(' '), tone: 'yellow' },
      { label: 'Created', value: `${vps.createdAt} (${formatAge(vps.createdAt, now)} ago)` },
      {
        label: 'Started',
        value: vps.startedAt === null ? '' : `${vps.startedAt} (up ${formatAge(vps.startedAt, now)})`,
      },
      { label: 'Node', value: vps.node },
    ]);
    return 0;
  },
});
