import type { ArchiveEntry } from '../archive/entry.ts';
import { textFile } from './text-file.ts';

/** The VPS's environment for every service of systemd (systemd-system.conf(5), DefaultEnvironment). Only root reads it. */
export function environmentFiles(env: Readonly<Record<string, string>>): ArchiveEntry[] {
  const assignments = Object.entries(env).map(([key, value]) => quote(`${key}=${value}`));
  const lines = assignments.length === 0 ? [] : [`DefaultEnvironment=${assignments.join(' ')}`];
  return [
    textFile('etc/systemd/system.conf.d/10-mullion.conf', ['[Manager]', ...lines, ''].join('\n'), 0o600),
  ];
}

/** systemd.syntax(7), "Quoting", and systemd.unit(5), "Specifiers". */
export function quote(text: string): string {
  const escaped = text
    .replaceAll(/[\\"]/g, '\\$&')
    .replaceAll('%', '%%')
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t');
  return `"${escaped}"`;
}
