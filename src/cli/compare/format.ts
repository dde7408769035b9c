import type { Unit } from './measures.ts';

const THOUSANDS = ['', ' k', ' M', ' G', ' T'] as const;
const BINARY = ['', ' Ki', ' Mi', ' Gi', ' Ti'] as const;

/** A number of three digits with its unit, for people. */
export function formatValue(value: number, unit: Unit): string {
  switch (unit) {
    case 's':
      return value < 1 ? `${threeDigits(value * 1000)} ms` : `${threeDigits(value)} s`;
    case 'ms':
      return value < 1000 ? `${threeDigits(value)} ms` : `${threeDigits(value / 1000)} s`;
    case 'B':
      return scaled(value, 1024, BINARY, 'B');
    case 'B/s':
      return scaled(value, 1000, THOUSANDS, 'B/s');
    case 'bit/s':
      return scaled(value, 1000, THOUSANDS, 'bit/s');
    case '/s':
      return scaled(value, 1000, THOUSANDS, '/s');
    case '':
      return Math.round(value).toLocaleString('en');
  }
}

/** The space stands before the whole unit: `2 MB/s`, `1.5 k/s`, `80 /s`. */
function scaled(value: number, step: number, prefixes: readonly string[], unit: string): string {
  let [rest, index] = [value, 0];
  while (rest >= step && index < prefixes.length - 1) {
    rest /= step;
    index += 1;
  }
  const prefix = prefixes[index] ?? '';
  return `${threeDigits(rest)}${prefix === '' ? ' ' : prefix}${unit}`;
}

export const threeDigits = (value: number): string =>
  value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
