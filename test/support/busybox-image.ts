import { copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/host/run.ts';

const BUSYBOX = '/bin/busybox';

/** Says what it got, then lives until it is asked to end. */
const ENTRY = `#!/bin/sh
trap 'echo asked to end; exit 0' QUIT
echo "entry as $(id -u):$(id -g) in $(pwd) with GREETING=$GREETING args $*"
while :; do sleep 3600 & wait $!; done
`;

/**
 * An OCI image of busybox in two layers, the second of which deletes a file of the first; without an init system. The
 * archive's path, as skopeo names it.
 */
export async function busyboxImage(folder: string, config: readonly string[] = []): Promise<string> {
  const root = join(folder, 'root');
  const layout = join(folder, 'layout');
  for (const name of ['bin', 'sbin', 'etc', 'srv/data', 'tmp', 'var'])
    mkdirSync(join(root, name), { recursive: true });
  copyFileSync(BUSYBOX, join(root, 'bin/busybox'));
  const { stdout } = await run([BUSYBOX, '--list']);
  for (const applet of stdout.trim().split('\n')) {
    if (applet !== 'busybox') symlinkSync('/bin/busybox', join(root, 'bin', applet));
  }
  symlinkSync('/bin/busybox', join(root, 'sbin/init'));
  writeFileSync(join(root, 'bin/entry'), ENTRY, { mode: 0o755 });
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/srv:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nweb:x:34:\nextra:x:44:web\n');
  writeFileSync(join(root, 'srv/data/secret'), 'deleted later\n');
  writeFileSync(join(root, 'srv/data/owned'), 'kept\n');
  await run(['chown', '33:34', join(root, 'srv/data/owned')]);
  await run(['setfattr', '-n', 'user.note', '-v', 'kept', join(root, 'srv/data/owned')]);
  const tar = ['tar', '--create', '--xattrs', '--xattrs-include=*', '--numeric-owner'];
  await run([...tar, `--file=${folder}/one.tar`, '--directory', root, '.']);
  rmSync(root, { recursive: true });
  mkdirSync(join(root, 'srv/data'), { recursive: true });
  writeFileSync(join(root, 'srv/data/.wh.secret'), '');
  writeFileSync(join(root, 'srv/data/second'), 'of the second layer\n');
  await run([...tar, `--file=${folder}/two.tar`, '--directory', root, 'srv']);
  const image = ['--image', `${layout}:latest`];
  await run(['umoci', 'init', '--layout', layout]);
  await run(['umoci', 'new', ...image]);
  for (const layer of ['one', 'two'])
    await run(['umoci', 'raw', 'add-layer', ...image, `${folder}/${layer}.tar`]);
  const described = [
    ...[
      '--config.entrypoint',
      '/bin/entry',
      '--config.cmd',
      'hello',
      '--config.env',
      'GREETING=from the image',
    ],
    ...['--config.workingdir', '/srv', '--config.user', 'web', '--config.stopsignal', 'SIGQUIT'],
  ];
  await run(['umoci', 'config', ...image, ...described, ...config]);
  return layout;
}
