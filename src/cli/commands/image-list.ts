import { formatSize } from '../../contract/size-text.ts';
import { defineCommand } from '../command.ts';
import { printTable } from '../print-table.ts';

export const command = defineCommand({
  summary: 'list images',
  description:
    'Shows the images of the project and those of the project default, which every project may use.',
  arguments: {},
  flags: {},
  examples: [{ line: 'mullion image list', does: 'what VPSs can start from' }],
  run: async (context) => {
    printTable(
      context,
      [
        { title: 'NAME', value: (image) => image.name, shrink: 2, least: 12 },
        { title: 'PARTS', value: (image) => image.parts.join(' ') },
        { title: 'SIZE', value: (image) => formatSize(image.size), align: 'right' },
        { title: 'LEAST DISK', value: (image) => formatSize(image.minimumDisk), align: 'right' },
        { title: 'USED BY', value: (image) => String(image.usedBy), align: 'right' },
        { title: 'MADE', value: (image) => image.createdAt.slice(0, 10), shrink: 3 },
      ],
      await context.client.call('images.list', { query: context.project }),
      'There is no image yet. Build one with: mullion image build debian/12',
    );
    return 0;
  },
});
