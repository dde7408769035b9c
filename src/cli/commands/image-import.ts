import { readFileSync } from 'node:fs';
import { MullionError } from '../../contract/error-table.ts';
import type { Task } from '../../contract/tasks.ts';
import { defineCommand } from '../command.ts';
import { type Context, printJson, say } from '../context.ts';
import { fileError, readTextFile } from '../files.ts';
import { firstWait, followTask, handedOver } from '../follow.ts';
import { type LocalSource, nameOfSource, readSource } from '../image-source.ts';
import { usage } from '../parse.ts';

export const command = defineCommand({
  summary: 'import an image from a registry, a file or an address',
  description:
    'SOURCE is a file, - for standard input, an http or https address, docker://HOST/NAME:TAG in a registry, oci:FOLDER, oci-archive:FILE or docker-archive:FILE. Files may be root file systems (tar), disks (raw, qcow2, vmdk, vdi) and ISO images, packed by gzip, xz or zstd or not.\n\nWhatever comes is taken for hostile: it is checked and unpacked without rights, and what is dangerous or damaged is refused and leaves nothing. Without NAME the image is called as its source.\n\nFiles and addresses are read by this command, with your rights; a registry is read by the daemon, for users of the host itself. An image without an init system runs its own entry point.',
  arguments: {
    source: { label: 'SOURCE', summary: 'where the image is', complete: 'file' },
    name: { label: 'NAME', summary: 'name of the image here', arity: 'optional' },
  },
  flags: {
    format: {
      kind: 'choice',
      choices: ['auto', 'tar', 'oci-archive', 'docker-archive', 'raw', 'qcow2', 'vmdk', 'vdi', 'iso'],
      summary: 'what the file is; by its first bytes when absent',
    },
    image: {
      kind: 'text',
      value: 'IMAGE',
      summary: 'which image of an archive of several: its name, tag, digest or OS/ARCHITECTURE',
    },
    sha256: { kind: 'text', value: 'HEX', summary: 'the sum of the file, or of the manifest in a registry' },
    signature: {
      kind: 'text',
      value: 'FILE',
      summary: 'detached OpenPGP signature of the file',
      complete: 'file',
    },
    key: { kind: 'text', value: 'FILE', summary: 'public keys that may have signed it', complete: 'file' },
    username: { kind: 'text', value: 'USER', summary: 'login of the registry' },
    'password-file': {
      kind: 'text',
      value: 'FILE',
      summary: 'file with the password, or -',
      complete: 'file',
    },
    authority: {
      kind: 'text',
      value: 'FILE',
      summary: "PEM of the registry's own authority",
      complete: 'file',
    },
    'kernel-from': {
      kind: 'text',
      value: 'IMAGE',
      summary: 'take the kernel of this image along, for virtual machines',
      complete: 'image',
    },
    replace: { kind: 'boolean', summary: 'take the place of an image of that name' },
  },
  examples: [
    {
      line: 'mullion image import docker://docker.io/library/alpine:3.20',
      does: 'from a registry, as alpine/3.20',
    },
    { line: 'mullion image import rootfs.tar.xz mine --sha256 HEX', does: 'a root file system, checked' },
    { line: 'mullion image import https://example.org/cloud.qcow2 cloud', does: 'a disk' },
    {
      line: 'mullion image import docker-archive:saved.tar --image app:2.0 app',
      does: 'one of the images that docker save has put into a file',
    },
    {
      line: 'mullion image import rootfs.tar mine --kernel-from debian/12',
      does: 'for virtual machines too',
    },
  ],
  seeAlso: ['image list', 'image export', 'launch'],
  run: async (context, { arguments: { source, name = nameOfSource(source) }, flags }) => {
    const { sha256, replace } = flags;
    const kernelFrom = flags['kernel-from'];
    const shared = {
      name,
      replace,
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(kernelFrom === undefined ? {} : { kernelFrom }),
    };
    const found = readSource(source, flags.format);
    if (found.kind === 'registry') {
      if (flags.image !== undefined) {
        throw new MullionError('invalid_request', 'An image of a registry is named by its reference.', {
          remedy: 'Give it as docker://HOST/NAME:TAG, without --image',
        });
      }
      const password = flags['password-file'];
      const task = await context.client.call('images.pull', {
        query: { ...context.project, wait: firstWait(context) },
        body: {
          ...shared,
          reference: found.reference,
          ...(flags.username === undefined ? {} : { username: flags.username }),
          ...(password === undefined ? {} : { password: readTextFile(password).trimEnd() }),
          ...(flags.authority === undefined ? {} : { authority: readTextFile(flags.authority) }),
        },
      });
      if (handedOver(context, task)) return 0;
      return finish(context, name, await followTask(context, task));
    }
    if (!context.wait) {
      throw usage('image import', 'This command itself sends the file: leave --no-wait out.');
    }
    const task = await context.client.call('images.import', {
      query: context.project,
      body: {
        ...shared,
        format: found.format,
        ...(flags.image === undefined ? {} : { image: flags.image }),
        origin: found.origin.slice(0, 512).replace(/[^\x20-\x7e]/g, '?'),
        ...(found.size === undefined ? {} : { size: found.size }),
        ...signatureOf(flags.signature, flags.key),
      },
    });
    return finish(context, name, await sendAlong(context, task, found));
  },
});

function finish(context: Context, name: string, task: Task): number {
  if (context.json) printJson(context, task);
  else say(context, `The image ${name} is there; use it with: mullion launch ${name} NAME`);
  return 0;
}

/** Sends the file and follows the task side by side. The task knows best why it failed. */
async function sendAlong(context: Context, task: Task, source: LocalSource): Promise<Task> {
  const sending = (async (): Promise<unknown> => {
    try {
      await context.client.upload('images.upload', { params: { task: task.id } }, await source.open());
      return undefined;
    } catch (failure) {
      // Nobody else would end the task of a file that cannot be read here.
      await context.client.call('tasks.cancel', { params: { id: task.id } }).catch(() => undefined);
      return failure;
    }
  })();
  try {
    return await followTask(context, task);
  } catch (failure) {
    const cause = await sending;
    const cancelled = failure instanceof MullionError && failure.code === 'cancelled';
    throw cancelled && cause !== undefined ? cause : failure;
  }
}

function signatureOf(
  signature: string | undefined,
  key: string | undefined,
): { readonly signature?: { readonly signature: string; readonly keyring: string } } {
  if (signature === undefined && key === undefined) return {};
  if (signature === undefined || key === undefined) {
    throw new MullionError(
      'invalid_request',
      'A signature is checked against keys: give both --signature and --key.',
    );
  }
  return { signature: { signature: base64(signature), keyring: base64(key) } };
}

function base64(path: string): string {
  try {
    return readFileSync(path).toString('base64');
  } catch (cause) {
    throw fileError(path, 'read', cause);
  }
}
