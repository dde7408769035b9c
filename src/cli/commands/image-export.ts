import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { refuseJsonBeside, saveStream } from '../download.ts';
import { followTask } from '../follow.ts';
import { usage } from '../parse.ts';

export const command = defineCommand({
  summary: 'write an image to a file',
  description:
    'Root file systems become a tar or an OCI archive, disks a raw, qcow2, vmdk or vdi file, ISO images themselves. Without --format the file has the format that shows most of the image: tar for a root file system, raw for a disk. - writes to standard output. An export that fails leaves no half file.',
  arguments: {
    name: { label: 'NAME', summary: 'name of an image', complete: 'image' },
    file: { label: 'FILE', summary: 'a local file, or -', complete: 'file' },
  },
  flags: {
    format: {
      kind: 'choice',
      choices: ['oci', 'tar', 'raw', 'qcow2', 'vmdk', 'vdi', 'iso'],
      summary: 'what the file is to be',
    },
  },
  examples: [
    { line: 'mullion image export debian/12 debian.tar', does: 'the root file system' },
    { line: 'mullion image export debian/12 debian.oci --format oci', does: 'for skopeo, podman and others' },
    { line: 'mullion image export debian/12 debian.qcow2 --format qcow2', does: 'the disk' },
    { line: 'mullion image export debian/12 - | zstd > debian.tar.zst', does: 'into a pipe' },
  ],
  seeAlso: ['image import'],
  run: async (context, { arguments: { name, file }, flags: { format } }) => {
    if (!context.wait)
      throw usage('image export', 'This command itself writes the file: leave --no-wait out.');
    refuseJsonBeside(context, 'image export', file);
    const task = await context.client.call('images.export', {
      params: { name },
      query: context.project,
      body: format === undefined ? {} : { format },
    });
    const saving = context.client
      .stream('images.download', { params: { task: task.id } })
      .then((body) => saveStream(body, file))
      .then(
        () => undefined,
        async (failure: unknown) => {
          await context.client.call('tasks.cancel', { params: { id: task.id } }).catch(() => undefined);
          return { failure };
        },
      );
    const quiet = file === '-' ? { ...context, quiet: true } : context;
    const [ended, failed] = await Promise.all([
      followTask(quiet, task).catch((failure: unknown) => ({ failure })),
      saving,
    ]);
    if ('failure' in ended) throw ended.failure;
    if (failed !== undefined) throw failed.failure;
    if (file === '-') return 0;
    if (context.json) printJson(context, ended);
    else say(context, `The image ${name} is written to ${file}`);
    return 0;
  },
});
