const UNIT_EXPONENT: Readonly<Record<string, number>> = { '': 0, K: 1, M: 2, G: 3, T: 4 };

/**
 * Bytes of a size such as `256M`, `2G`, `1.5G` or `4096`; the units are powers of 1024.
 * Returns undefined when the text is no size or not a safe integer.
 */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*([KMGT]?)(?:i?B)?$/i.exec(text.trim());
  if (match === null) return undefined;
  const bytes = Math.round(Number(match[1]) * 1024 ** (UNIT_EXPONENT[(match[2] ?? '').toUpperCase()] ?? 0));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A size for people: `1.5G`, `256M`, `0`; at most one decimal. */
export function formatSize(bytes: number): string {
  const units = ['', 'K', 'M', 'G', 'T'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toFixed(1))}${units[unit]}`;
}

export const KIB = 1024;
export const MIB = 1024 ** 2;
export const GIB = 1024 ** 3;
