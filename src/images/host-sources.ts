import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MullionError } from '../contract/errors.ts';
import { type DebianArchive, findDebianArchive, parseListFile, parseSourcesFile } from './apt-sources.ts';

/** The Debian archive that this host's apt uses. @throws MullionError `host_unfit` when its sources name none. */
export async function readHostArchive(aptFolder = '/etc/apt'): Promise<DebianArchive> {
  const parts = join(aptFolder, 'sources.list.d');
  const names = await readdir(parts).catch((): string[] => []);
  const paths = [join(aptFolder, 'sources.list'), ...names.sort().map((name) => join(parts, name))];
  const sources = await Promise.all(
    paths.map(async (path) => {
      if (!/\.(list|sources)$/.test(path)) return [];
      const text = await readFile(path, 'utf8').catch(() => '');
      return path.endsWith('.list') ? parseListFile(text) : parseSourcesFile(text);
    }),
  );
  const archive = findDebianArchive(sources.flat());
  if (archive !== undefined) return archive;
  throw new MullionError('host_unfit', `The package sources below ${aptFolder} name no Debian archive.`, {
    remedy: 'Add a Debian archive with the component main to /etc/apt/sources.list.d and run: apt-get update',
    details: { read: paths },
  });
}
