const STEPS = [
  { unit: 'd', seconds: 86_400 },
  { unit: 'h', seconds: 3_600 },
  { unit: 'm', seconds: 60 },
] as const;

/** A span for people in at most two units: `4s`, `3m12s`, `2h`, `5d4h`. */
export function formatDuration(seconds: number): string {
  let rest = Math.max(0, Math.round(seconds));
  const parts: string[] = [];
  for (const step of STEPS) {
    const count = Math.floor(rest / step.seconds);
    if (count > 0) parts.push(`${count}${step.unit}`);
    rest -= count * step.seconds;
  }
  if (rest > 0 || parts.length === 0) parts.push(`${rest}s`);
  return parts.slice(0, 2).join('');
}

/** How long ago an RFC 3339 time was, `-` when there is none. */
export function formatAge(time: string | null, now: number): string {
  return time === null ? '-' : formatDuration((now - Date.parse(time)) / 1000);
}
