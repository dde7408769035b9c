import { formatSize } from '../../contract/size-text.ts';
import { defineCommand } from '../command.ts';
import { partsText } from '../image-view.ts';
import { printTable } from '../print-table.ts';

export const command = defineCommand({
  summary: 'list images',
  description:
    'Shows the images of the project and those of the project default, which every project may use. A part in brackets is made of the others when a VPS first needs it; --json has whole digests.',
  arguments: {},
  flags: {},
  examples: [{ line: 'mullion image list', does: 'what VPSs can start from' }],
  run: async (context) => {
    printTable(
      context,
      [
        { title: 'NAME', value: (image) => image.name, shrink: 2, least: 12 },
        { title: 'PARTS', value: partsText },
        { title: 'SIZE', value: (image) => formatSize(image.size), align: 'right' },
        { title: 'LEAST DISK', value: (image) => formatSize(image.minimumDisk), align: 'right' },
        { title: 'USED BY', value: (image) => String(image.usedBy), align: 'right' },
        { title: 'ORIGIN', value: (image) => image.origin, shrink: 4, least: 10 },
        { title: 'DIGEST', value: (image) => image.digest.slice(0, 'sha256:'.length + 12), shrink: 5 },
        { title: 'MADE', value: (image) => image.createdAt.slice(0, 10), shrink: 3 },
      ],
      await context.client.call('images.list', { query: context.project }),
      'There is no image yet. Build one with: mullion image build debian/12',
    );
    return 0;
  },
});
