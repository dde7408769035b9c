import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { makeNode, S_IFCHR } from './nodes.ts';
import { libc } from './syscalls/libc.ts';
import { SystemError } from './system-error.ts';

const OPAQUE = 'user.overlay.opaque';

/**
 * Lets an overlay with `userxattr` show nothing of `lower` beside `upper`, which holds a whole tree: names that only
 * `lower` has get a whiteout, and directories of both are opaque (Documentation/filesystems/overlayfs, "whiteouts and
 * opaque directories"). `upper` is nobody's meanwhile. @throws SystemError
 */
export function hideLower(upper: string, lower: string): void {
  for (const entry of readdirSync(lower, { withFileTypes: true })) {
    const path = join(upper, entry.name);
    const present = lstatSync(path, { throwIfNoEntry: false });
    if (present === undefined) makeNode(path, S_IFCHR, 0, 0);
    else if (present.isDirectory() && entry.isDirectory()) setAttribute(path, OPAQUE, 'y');
  }
}

function setAttribute(path: string, name: string, value: string): void {
  const bytes = Buffer.from(value);
  if (libc().lsetxattr(path, name, bytes, bytes.length, 0) !== 0) {
    throw new SystemError('lsetxattr', libc().errno(), path);
  }
}
