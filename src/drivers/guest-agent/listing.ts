import { MullionError } from '../../contract/errors.ts';
import type { FileEntry } from '../../contract/resources.ts';

const TYPES: ReadonlyMap<string, FileEntry['type']> = new Map([
  ['f', 'file'],
  ['d', 'directory'],
  ['l', 'symlink'],
]);
/** Seconds of the years 0 to 9999, which are written with four digits. */
const [EARLIEST, LATEST] = [-62_167_219_200, 253_402_300_799];
const FIELDS = 7;
/** More of them would hold up who else asks the daemon, while they are parsed and sorted. */
const MOST_ENTRIES = 100_000;

/**
 * What find(1) printed as `%f\0%y\0%s\0%m\0%U\0%G\0%T@\0`, sorted by name.
 * @throws MullionError `guest_unresponsive` when it makes no sense, `command_failed` when it is too much
 */
export function parseListing(listing: Buffer): FileEntry[] {
  let ends = 0;
  for (let at = 0; at < listing.length; at += 1) if (listing[at] === 0) ends += 1;
  if (ends > MOST_ENTRIES * FIELDS) throw tooMany();
  const words = listing.toString('utf8').split('\0');
  if (words.pop() !== '' || words.length % FIELDS !== 0) throw senseless();
  const entries: FileEntry[] = [];
  for (let at = 0; at < words.length; at += FIELDS) {
    const [name = '', type = '', size, mode = '', uid, gid, modified] = words.slice(at, at + FIELDS);
    const entry = {
      name,
      type: TYPES.get(type) ?? 'other',
      size: Number(size),
      mode: Number.parseInt(mode, 8),
      uid: Number(uid),
      gid: Number(gid),
    } as const;
    const seconds = Number(modified);
    const whole = [entry.size, entry.mode, entry.uid, entry.gid].every(
      (n) => Number.isSafeInteger(n) && n >= 0,
    );
    if (!whole || Number.isNaN(seconds)) throw senseless();
    const shown = Math.min(Math.max(seconds, EARLIEST), LATEST);
    entries.push({ ...entry, modifiedAt: new Date(shown * 1000).toISOString() });
  }
  return entries.sort((one, other) => (one.name < other.name ? -1 : 1));
}

const senseless = (): MullionError =>
  new MullionError('guest_unresponsive', "The guest's list of files makes no sense.");

export const tooMany = (): MullionError =>
  new MullionError('command_failed', `The folder holds more than ${MOST_ENTRIES} files.`, {
    remedy: 'List it inside, for example: mullion exec NAME -- ls FOLDER',
  });
