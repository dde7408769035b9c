import { formatSize } from '../../contract/size-text.ts';
import { TECHNIQUES } from '../../contract/technique-table.ts';
import { formatDuration } from '../output/duration.ts';
import { type Bar, renderBars } from './chart.ts';
import { formatValue, threeDigits } from './format.ts';
import { LOOK } from './look.ts';
import { text } from './markup.ts';
import { type Group, MEASURES, type MeasureId } from './measures.ts';
import { type Comparison, numberOf, type Subject } from './result.ts';
import { notesOf } from './table.ts';

type Row = (typeof MEASURES)[number];
const GROUPS = [...new Set(MEASURES.map(({ group }) => group))];

/** One HTML file without anything from elsewhere: no script, no font, no picture. */
export function renderReport(comparison: Comparison): string {
  const { techniques, host } = comparison;
  const shown = techniques.filter(({ values }) => Object.keys(values).length > 0);
  const title = `Virtualization techniques on ${host.node}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${text(title)}</title>
<style>${LOOK}</style>
</head>
<body>
<main>
<h1>${text(title)}</h1>
${renderCircumstances(comparison)}
<h2>The techniques</h2>
<div class="cards">
${techniques.map(renderTechnique).join('\n')}
</div>
${GROUPS.map((group) => renderGroup(group, shown)).join('\n')}
<h2>All numbers</h2>
${renderTable(shown)}
${renderNotes(techniques)}
</main>
</body>
</html>
`;
}

function renderCircumstances({ host, measuredAt, seconds, quick, image, limits }: Comparison): string {
  const facts = [
    ['Host', `${host.distribution}, kernel ${host.kernel}`],
    ['Processor', `${host.processor}, ${host.cpus} of them`],
    ['Memory', `${formatSize(host.memoryTotal)}, ${formatSize(host.memoryAvailable)} available`],
    [
      'Each VPS',
      `${limits.cpus} processor, ${formatSize(limits.memory)} of memory, ${formatSize(limits.disk)} of disk, image ${image}`,
    ],
    [
      'Measured',
      `${measuredAt.slice(0, 16).replace('T', ' ')} UTC in ${formatDuration(seconds)}, by Mullion ${host.version}${quick ? '; quick: each once and short' : ''}`,
    ],
  ] as const;
  return `<p class="soft">The same work in one VPS for each technique, one after another. Other work on the host changes the numbers: a difference below a factor of two is a tie.</p>
<dl>${facts.map(([name, fact]) => `<dt>${name}</dt><dd>${text(fact)}</dd>`).join('')}</dl>`;
}

function renderTechnique({
  technique,
  name,
  driver,
  state,
  reason,
  remedy,
  advantages,
  limits,
}: Subject): string {
  const why =
    state === 'measured'
      ? ''
      : `<dt>${state === 'failed' ? 'Broke off' : 'Not here'}</dt><dd class="why">${text(reason)}</dd>${remedy === '' ? '' : `<dt>Try</dt><dd>${text(remedy)}</dd>`}`;
  return `<section class="card">
<header><h3><span class="dot ${toneOf(technique)}${state === 'unavailable' ? ' off' : ''}"></span>${text(technique)}: ${text(name)}</h3><span class="better">${text(driver)}</span></header>
<dl>${why}<dt>For it</dt><dd>${text(advantages)}</dd><dt>Against</dt><dd>${text(limits)}</dd></dl>
</section>`;
}

function renderGroup(group: Group, shown: readonly Subject[]): string {
  const rows = MEASURES.filter((row) => row.group === group);
  return `<h2>${group}</h2>
<div class="cards">
${rows.map((row) => renderMeasure(row, shown)).join('\n')}
</div>`;
}

function renderMeasure(row: Row, shown: readonly Subject[]): string {
  const bars = shown.map((subject) => barOf(row, subject));
  return `<section class="card">
<header><h3>${text(row.title)}</h3><span class="better">${row.better === 'more' ? 'more is better' : 'less is better'}</span></header>
${renderBars(row.title, bars)}
<p class="soft">${text(row.how)}</p>
</section>`;
}

function barOf({ id, unit }: Row, subject: Subject): Bar {
  const value = numberOf(subject, id);
  const caption = value === undefined ? 'not measured' : formatValue(value, unit);
  return { label: subject.technique, tone: toneOf(subject.technique), value, caption };
}

/** The best of each row is bold, and the others tell how many times worse they are. */
function renderTable(shown: readonly Subject[]): string {
  const head = shown.map(({ technique }) => `<th scope="col">${text(technique)}</th>`).join('');
  const body = MEASURES.map((row) => {
    const best = bestOf(row, shown);
    const cells = shown.map((subject) => renderCell(row, numberOf(subject, row.id), best)).join('');
    return `<tr><th scope="row">${text(row.title)}</th>${cells}</tr>`;
  });
  return `<div class="scroll" tabindex="0" role="region" aria-label="All numbers"><table>
<thead><tr><th scope="col">Measure</th>${head}</tr></thead>
<tbody>
${body.join('\n')}
</tbody></table></div>`;
}

function renderCell({ unit, better }: Row, value: number | undefined, best: number | undefined): string {
  if (value === undefined) return '<td class="soft">-</td>';
  const shownValue = text(formatValue(value, unit));
  if (best === undefined || value === best) return `<td class="best">${shownValue}</td>`;
  const [large, small] = better === 'more' ? [best, value] : [value, best];
  const times = small > 0 ? ` <span class="soft">×${threeDigits(large / small)}</span>` : '';
  return `<td>${shownValue}${times}</td>`;
}

export function bestOf(
  { id, better }: { readonly id: MeasureId; readonly better: 'more' | 'less' },
  subjects: readonly Subject[],
): number | undefined {
  const numbers = subjects.flatMap((subject) => numberOf(subject, id) ?? []);
  if (numbers.length === 0) return undefined;
  return better === 'more' ? Math.max(...numbers) : Math.min(...numbers);
}

function renderNotes(techniques: readonly Subject[]): string {
  const notes = techniques.flatMap((subject) => (subject.state === 'unavailable' ? [] : notesOf(subject)));
  if (notes.length === 0) return '';
  return `<h2>What was not measured</h2>
<ul>${notes.map((note) => `<li>${text(note)}</li>`).join('')}</ul>`;
}

const toneOf = (technique: (typeof TECHNIQUES)[number]): string => `t${TECHNIQUES.indexOf(technique)}`;
