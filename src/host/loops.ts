import { run } from './run.ts';

/** Loop devices whose backing file is this very file, for example /dev/loop3. */
export async function loopDevicesOf(file: string): Promise<string[]> {
  const { stdout } = await run([
    'losetup',
    '--noheadings',
    '--raw',
    '--output',
    'NAME',
    '--associated',
    file,
  ]);
  return stdout.split('\n').filter((line) => line !== '');
}

/**
 * Mounts a file system that lies in a file. The loop device goes away by itself with the last mount of it; one that is
 * there already is used again, as two devices over one file would destroy its content.
 */
export async function mountFile(
  file: string,
  target: string,
  fstype: string,
  options: readonly string[],
): Promise<void> {
  const [device] = await loopDevicesOf(file);
  const chosen = device === undefined ? ['loop', ...options] : options;
  const list = chosen.length === 0 ? [] : ['-o', chosen.join(',')];
  await run(['mount', '-t', fstype, ...list, device ?? file, target]);
  if (device !== undefined) await run(['losetup', '--detach', device]);
}

/** Tells the kernel that the file of a loop device has another size now. */
export const refreshLoopSize = async (device: string): Promise<void> => {
  await run(['losetup', '--set-capacity', device]);
};
