/** One thing of an archive, as it shall lie in the guest. Paths are relative, without a leading slash. */
export type ArchiveEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string };

/** @throws TypeError for a path that an archive must not hold */
export function checkEntryPath(path: string): void {
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..') || path.includes('\0')) {
    throw new TypeError(`"${path}" is no path for an archive`);
  }
}
