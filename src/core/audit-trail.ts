/** Where the audit log is kept: lines that are only ever added, and are bounded in number. */
export interface AuditTrail {
  /** Durable against the end of this process when it returns. */
  append(line: string): void;
  /** The last lines, oldest first. */
  tail(lines: number): Promise<string[]>;
}

/** Forgets all when the process ends. */
export function createMemoryTrail(most = 10_000): AuditTrail {
  const kept: string[] = [];
  return {
    append: (line) => {
      kept.push(line);
      if (kept.length > most) kept.shift();
    },
    tail: async (lines) => kept.slice(-lines),
  };
}
