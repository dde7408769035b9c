/** One line of apt's status output (apt's README.progress-reporting). */
export interface AptStatus {
  readonly phase: 'download' | 'install';
  /** Of its phase. */
  readonly percent: number;
  readonly message: string;
}

/** Reads `dlstatus:N:PERCENT:TEXT` and `pmstatus:PACKAGE:PERCENT:TEXT`; other lines are undefined. */
export function parseAptStatus(line: string): AptStatus | undefined {
  const match = /^(dlstatus|pmstatus):[^:]*(?::(?!\d)[^:]*)?:(\d+(?:\.\d+)?):(.*)$/.exec(line);
  if (match === null) return undefined;
  return {
    phase: match[1] === 'dlstatus' ? 'download' : 'install',
    percent: Math.min(100, Number(match[2])),
    message: match[3] ?? '',
  };
}

/** Cuts pieces of output into lines and calls back for each. */
export function lineReader(onLine: (line: string) => void): (piece: string) => void {
  let rest = '';
  return (piece) => {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  };
}
