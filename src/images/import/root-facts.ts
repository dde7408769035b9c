import type { Jails } from '../../host/jail/jails.ts';
import { INIT_PATHS, type RootFacts } from './program.ts';
import { refused, shown } from './refused.ts';
import { requireItsOwnEnd } from './struck.ts';
import { FILE_OWNER } from './unpack-tar.ts';

/** Prints, each behind a mark, what the arguments name and is there. */
const LOOK = `
for path; do if [ -e "$path" ] || [ -L "$path" ]; then printf 'present %s\\n' "$path"; fi; done
printf 'init %s\\n' "$(readlink sbin/init)"
find . -xdev '(' -type b -o -type c -o -type s ')' -printf 'special %P\\n' -quit
printf 'passwd\\n'; head -c 262144 etc/passwd 2>/dev/null
printf '\\nmullion-group\\n'; head -c 262144 etc/group 2>/dev/null
`;

/** Looks into a root file system from inside a jail, where its links lead nowhere. @throws MullionError `image_refused` */
export async function rootFacts(jails: Jails, rootfs: string, signal: AbortSignal): Promise<RootFacts> {
  const result = await jails.run(
    {
      argv: ['sh', '-c', LOOK, 'look', ...INIT_PATHS],
      mounts: [{ source: rootfs, target: '/in', access: 'read' }],
      capabilities: FILE_OWNER,
      cwd: '/in',
      timeoutMs: 600_000,
    },
    signal,
  );
  requireItsOwnEnd('sh', result);
  const { stdout } = result;
  const [head = '', rest = ''] = splitAt(stdout, '\npasswd\n');
  const [passwd, group] = splitAt(rest, '\nmullion-group\n');
  const special = /^special (.*)$/m.exec(head)?.[1];
  if (special !== undefined)
    throw refused('device', `The image has a device node or socket: ${shown(special)}.`);
  return {
    present: new Set([...head.matchAll(/^present (.*)$/gm)].map(([, path = '']) => path)),
    initTarget: /^init (.*)$/m.exec(head)?.[1] ?? '',
    passwd,
    group,
  };
}

function splitAt(text: string, mark: string): [string, string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + mark.length)];
}
