import { MullionError } from '../../contract/errors.ts';
import type { FileEntry } from '../../contract/resources.ts';

const TYPES: Readonly<Record<string, FileEntry['type']>> = { f: 'file', d: 'directory', l: 'symlink' };
const FIELDS = 7;

/** What find(1) printed as `%f\0%y\0%s\0%m\0%U\0%G\0%T@\0`, sorted by name. @throws MullionError `guest_unresponsive` */
export function parseListing(text: string): FileEntry[] {
  const words = text.split('\0');
  if (words.pop() !== '' || words.length % FIELDS !== 0) throw senseless();
  const entries: FileEntry[] = [];
  for (let at = 0; at < words.length; at += FIELDS) {
    const [name = '', type = '', size, mode = '', uid, gid, modified] = words.slice(at, at + FIELDS);
    const entry = {
      name,
      type: TYPES[type] ?? 'other',
      size: Number(size),
      mode: Number.parseInt(mode, 8),
      uid: Number(uid),
      gid: Number(gid),
    } as const;
    const seconds = Number(modified);
    const whole = [entry.size, entry.mode, entry.uid, entry.gid].every(
      (n) => Number.isSafeInteger(n) && n >= 0,
    );
    if (!whole || !(Math.abs(seconds) < 8e12)) throw senseless();
    entries.push({ ...entry, modifiedAt: new Date(seconds * 1000).toISOString() });
  }
  return entries.sort((one, other) => (one.name < other.name ? -1 : 1));
}

const senseless = (): MullionError =>
  new MullionError('guest_unresponsive', "The guest's list of files makes no sense.");
