import { sanitizeLine } from './sanitize.ts';
import { plainStyle, type Style, type Tone } from './style.ts';
import { padEnd, textWidth, wrap } from './width.ts';

export interface Field {
  readonly label: string;
  readonly value: string;
  readonly tone?: Tone | undefined;
}

/** Lines of a thing's fields, label beside value; empty values are left out, long ones wrapped. */
export function renderRecord(fields: readonly Field[], width: number, style: Style = plainStyle): string[] {
  const shown = fields.filter((field) => field.value !== '');
  const labels = Math.max(0, ...shown.map((field) => textWidth(field.label)));
  return shown.flatMap((field) => {
    const lines = wrap(sanitizeLine(field.value), Math.max(20, width - labels - 2));
    return lines.map((line, index) => {
      const label = padEnd(index === 0 ? field.label : '', labels);
      return `${style('dim', label)}  ${style(field.tone, line)}`;
    });
  });
}
