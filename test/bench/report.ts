import { type Measurement, median, quantile } from './measure.ts';

export interface Comparison {
  readonly what: string;
  readonly of: string;
  /** Absent: `atMost` is in the unit of `of`. */
  readonly against?: string;
  /** The median of `of` should be at most this many times that of `against`. */
  readonly atMost: number;
}

export interface Section {
  readonly title: string;
  readonly notes: readonly string[];
  readonly measurements: readonly Measurement[];
  /** A table of its own. */
  readonly lines?: readonly string[];
}

/** The page docs/benchmarks.md. */
export function renderReport(
  machine: readonly string[],
  sections: readonly Section[],
  comparisons: readonly Comparison[],
): string {
  return [
    '# Benchmarks',
    '',
    'Written by `npm run bench`. Each section was measured in one run, its subjects in turn, round by round; a figure',
    'is the median, with the 10th and 90th percentile. Under a factor of two on a shared machine is a tie.',
    'A load above the number of processors means that other work ran beside it, which lengthens most what starts most.',
    '',
    ...machine.map((line) => `- ${line}`),
    ...sections.flatMap(renderSection),
    '',
    '## Aims',
    '',
    '| aim | ratio of medians, or MB | wanted | met |',
    '|---|---:|---:|---|',
    ...comparisons.map((comparison) => renderComparison(comparison, sections)),
    '',
  ].join('\n');
}

function renderSection({ title, notes, measurements, lines = [] }: Section): string[] {
  return [
    '',
    `## ${title}`,
    '',
    ...(notes.length === 0 ? [] : [...notes, '']),
    ...lines,
    ...(measurements.length === 0
      ? []
      : ['| what | median | p10 | p90 | samples |', '|---|---:|---:|---:|---:|']),
    ...measurements.map(
      ({ name, unit, samples }) =>
        `| ${name} | ${figure(median(samples))} ${unit} | ${figure(quantile(samples, 0.1))} | ${figure(quantile(samples, 0.9))} | ${samples.length} |`,
    ),
  ];
}

function renderComparison({ what, of, against, atMost }: Comparison, sections: readonly Section[]): string {
  const find = (name: string): Measurement | undefined =>
    sections.flatMap(({ measurements }) => measurements).find((measurement) => measurement.name === name);
  const left = find(of);
  const right = against === undefined ? { samples: [1] } : find(against);
  if (left === undefined || right === undefined) {
    return `| ${what} | not measured here | at most ${figure(atMost)} | - |`;
  }
  const ratio = median(left.samples) / median(right.samples);
  return `| ${what} | ${figure(ratio)} | at most ${figure(atMost)} | ${ratio <= atMost ? 'yes' : 'no'} |`;
}

const figure = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
