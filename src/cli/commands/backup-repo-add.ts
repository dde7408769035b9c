import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { readTextFile } from '../files.ts';

export const command = defineCommand({
  summary: 'make a backup repository, or use one that exists',
  description:
    'Without --key a new repository is made, encrypted with a new key: export it with backup repo key and keep it elsewhere, as without it nothing can be restored. With --key a repository that exists is used, from this host or another.\n\nSFTP needs a private SSH key without a passphrase, S3 a credentials file of AWS. The server is told apart by --known-hosts; without it, the key that it shows first is believed from then on.',
  arguments: {
    name: { label: 'NAME', summary: 'what it is called here' },
    url: { label: 'URL', summary: 'a folder, sftp:USER@HOST:/FOLDER or s3:https://HOST/BUCKET' },
  },
  flags: {
    key: {
      kind: 'text',
      value: 'FILE',
      summary: 'file with its key; - reads it from here',
      complete: 'file',
    },
    credentials: {
      kind: 'text',
      value: 'FILE',
      summary: 'private SSH key, or credentials file of AWS',
      complete: 'file',
    },
    'known-hosts': {
      kind: 'text',
      value: 'FILE',
      summary: 'known_hosts of the SFTP server',
      complete: 'file',
    },
  },
  examples: [
    { line: 'mullion backup repo add usb /mnt/usb/mullion', does: 'a new one on another disk' },
    {
      line: 'mullion backup repo add nas sftp:joe@nas:/backups --credentials id_ed25519',
      does: 'on a server',
    },
    { line: 'mullion backup repo add usb /mnt/usb/mullion --key usb.key', does: 'one that exists' },
  ],
  seeAlso: ['backup repo key', 'backup create'],
  run: async (context, { arguments: { name, url }, flags }) => {
    const repository = await context.client.call('backups.addRepository', {
      query: context.project,
      body: {
        name,
        url,
        ...(flags.key === undefined ? {} : { key: readTextFile(flags.key).trim() }),
        ...(flags.credentials === undefined ? {} : { credentials: readTextFile(flags.credentials) }),
        ...(flags['known-hosts'] === undefined ? {} : { knownHosts: readTextFile(flags['known-hosts']) }),
      },
    });
    if (context.json) printJson(context, repository);
    else if (flags.key !== undefined) say(context, `The repository ${name} can be used`);
    else {
      say(
        context,
        `The repository ${name} is made. Keep its key elsewhere: mullion backup repo key ${name} > ${name}.key`,
      );
    }
    return 0;
  },
});
