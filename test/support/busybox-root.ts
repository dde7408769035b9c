import { readFileSync } from 'node:fs';
import { craftTar } from './crafted-archive.ts';

const APPLETS = ['cat', 'dd', 'echo', 'head', 'ls', 'mkdir', 'rm', 'sh', 'sleep', 'sync', 'true'];

/** The archive of a small root file system with an init system, and so many bytes more in it. */
export const busyboxRoot = (more = 0): Buffer =>
  craftTar([
    { name: './', type: '5' },
    ...['bin', 'sbin', 'etc', 'srv', 'tmp', 'var', 'root'].map((name) => ({ name: `./${name}/`, type: '5' })),
    { name: './bin/busybox', content: readFileSync('/bin/busybox'), mode: 0o755 },
    ...APPLETS.map((name) => ({ name: `./bin/${name}`, type: '2', link: 'busybox' })),
    { name: './sbin/init', type: '2', link: '../bin/busybox' },
    { name: './srv/more', content: Buffer.alloc(more) },
    { name: './etc/passwd', content: 'root:x:0:0:root:/root:/bin/sh\n' },
    { name: './etc/group', content: 'root:x:0:\n' },
  ]);
