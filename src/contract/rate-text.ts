const UNIT: Readonly<Record<string, number>> = { '': 1, K: 1e3, M: 1e6, G: 1e9, T: 1e12 };

/** What a rate may be at most, of bytes or of bits. */
export const MOST_RATE = 4e11;

/** Bits a second of a rate such as `100M` or `1.5G`; the units are powers of 1000. Undefined when the text is none. */
export function parseRate(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([KMGT]?)(?:bit(?:\/s)?)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const bits = Math.round(Number(match[1]) * (UNIT[(match[2] ?? '').toUpperCase()] ?? 1));
  return Number.isSafeInteger(bits) ? bits : undefined;
}

/** A rate for people: `100M`, `1.5G`, `0`; at most one decimal. */
export function formatRate(bits: number): string {
  const units = ['', 'K', 'M', 'G', 'T'];
  let value = bits;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toFixed(1))}${units[unit]}`;
}
