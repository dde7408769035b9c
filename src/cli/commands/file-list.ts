import type { FileEntry } from '../../contract/resources.ts';
import { formatSize } from '../../contract/size-text.ts';
import { defineCommand } from '../command.ts';
import { printJson } from '../context.ts';
import { renderTable } from '../output/table.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'list a folder of a VPS',
  description: 'Shows type and permissions, owner, size, time and name of each entry.',
  arguments: {
    name: VPS,
    path: { label: 'FOLDER', summary: 'an absolute path in the VPS', arity: 'optional' },
  },
  flags: {},
  examples: [{ line: 'mullion file list web /etc', does: 'what is in /etc' }],
  seeAlso: ['file push', 'file pull'],
  run: async (context, { arguments: { name, path } }) => {
    const entries = await context.client.call('files.list', {
      params: { name },
      query: { ...context.project, path: path ?? '/' },
    });
    if (context.json) {
      printJson(context, entries);
      return 0;
    }
    context.terminal.printAll(
      renderTable<FileEntry>(
        [
          { title: 'MODE', value: (entry) => TYPES[entry.type] + permissions(entry.mode) },
          { title: 'OWNER', value: (entry) => `${entry.uid}:${entry.gid}` },
          { title: 'SIZE', value: (entry) => formatSize(entry.size), align: 'right' },
          { title: 'CHANGED', value: (entry) => entry.modifiedAt.slice(0, 16).replace('T', ' ') },
          {
            title: 'NAME',
            value: (entry) => entry.name,
            tone: (entry) => (entry.type === 'directory' ? 'blue' : undefined),
            shrink: 1,
            least: 10,
          },
        ],
        entries,
        context.terminal.width,
        context.terminal.style,
      ),
    );
    return 0;
  },
});

const TYPES: Readonly<Record<FileEntry['type'], string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  other: '?',
};

/** As ls(1) writes them: `rwxr-xr-x`. */
export const permissions = (mode: number): string =>
  [6, 3, 0]
    .map((shift) => (mode >> shift) & 7)
    .map((bits) => `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${bits & 1 ? 'x' : '-'}`)
    .join('');
