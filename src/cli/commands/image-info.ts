import { formatSize } from '../../contract/size-text.ts';
import { defineCommand } from '../command.ts';
import { partsText } from '../image-view.ts';
import { printRecord } from '../print-record.ts';

export const command = defineCommand({
  summary: 'show one image',
  description: 'Shows where the image came from and which parts it has; a technique needs certain parts.',
  arguments: { name: { label: 'NAME', summary: 'name of an image', complete: 'image' } },
  flags: {},
  examples: [{ line: 'mullion image info debian/12', does: 'its parts and size' }],
  run: async (context, { arguments: { name } }) => {
    const image = await context.client.call('images.info', { params: { name }, query: context.project });
    printRecord(context, image, [
      { label: 'Name', value: image.name, tone: 'bold' },
      { label: 'Id', value: image.id },
      { label: 'Project', value: image.project },
      { label: 'Origin', value: image.origin },
      { label: 'Parts', value: partsText(image, ', ') },
      { label: 'First program', value: image.program?.argv.join(' ') ?? '' },
      { label: 'Size', value: formatSize(image.size) },
      { label: 'Least disk', value: formatSize(image.minimumDisk) },
      { label: 'Architecture', value: image.architecture },
      { label: 'Digest', value: image.digest },
      { label: 'Used by', value: `${image.usedBy} VPS` },
      { label: 'Made', value: image.createdAt },
    ]);
    return 0;
  },
});
