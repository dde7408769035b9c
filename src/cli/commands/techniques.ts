import type { TechniqueReport } from '../../contract/techniques.ts';
import { defineCommand } from '../command.ts';
import { printJson } from '../context.ts';
import { sanitizeLine } from '../output/sanitize.ts';
import type { Tone } from '../output/style.ts';
import { padEnd, wrap } from '../output/width.ts';

const TONES: Readonly<Record<TechniqueReport['state'], Tone>> = {
  healthy: 'green',
  unhealthy: 'red',
  undetected: 'dim',
};

export const command = defineCommand({
  summary: 'show what this host can run, with the evidence',
  description:
    'Each technique was proved by trying it: healthy works here, unhealthy is present but does not work, undetected is not present. What was probed and what to do about it stands below each.',
  arguments: {},
  flags: { refresh: { kind: 'boolean', summary: 'probe again instead of showing the last result' } },
  examples: [
    { line: 'mullion techniques', does: 'what this host can run' },
    { line: 'mullion techniques --refresh', does: 'after you changed something' },
  ],
  seeAlso: ['doctor', 'launch'],
  run: async (context, { flags: { refresh } }) => {
    const reports = await context.client.call('techniques.list', {
      query: refresh ? { refresh: 'true' } : {},
    });
    if (context.json) printJson(context, reports);
    else context.terminal.printAll(reports.flatMap((report) => renderReport(context.terminal, report)));
    return 0;
  },
});

function renderReport(
  { style, width }: { style: (tone: Tone | undefined, text: string) => string; width: number },
  report: TechniqueReport,
): string[] {
  const room = Math.min(width, 100);
  const indented = (label: string, text: string): string[] =>
    wrap(sanitizeLine(text), room - 14).map((line, index) =>
      `    ${style('dim', padEnd(index === 0 ? label : '', 8))}  ${line}`.trimEnd(),
    );
  return [
    `${style('bold', padEnd(report.id, 9))} ${style(TONES[report.state], padEnd(report.state, 10))}  ${report.name} (driver ${report.driver})`,
    ...indented('why', report.reason),
    ...report.evidence.flatMap((line, index) => indented(index === 0 ? 'evidence' : '', line)),
    ...(report.remedy === '' ? [] : indented('try', report.remedy)),
    '',
  ];
}
