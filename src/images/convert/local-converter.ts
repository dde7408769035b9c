import { mkdirSync, rmSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Jails } from '../../host/jail/jails.ts';
import { unmount } from '../../host/mounts.ts';
import type { UserNamespaces } from '../../host/user-namespaces.ts';
import type { Conversion, ConversionProgress, DataConverter } from '../converter.ts';
import { diskFromRoot } from './disk-from-root.ts';
import { rootFromDisk } from './root-from-disk.ts';

export interface ConverterDeps {
  readonly jails: Jails;
  readonly userNamespaces: UserNamespaces;
  /** Folder for what is mounted meanwhile. */
  readonly runDirectory: string;
}

/** Converts on this host, with every hostile byte read in a jail. */
export class LocalConverter implements DataConverter {
  readonly #deps: ConverterDeps;

  constructor(deps: ConverterDeps) {
    this.#deps = deps;
  }

  async convert(
    conversion: Conversion,
    onProgress: (progress: ConversionProgress) => void,
    signal: AbortSignal,
  ): Promise<void> {
    if (conversion.from === conversion.to) return;
    for (const name of await readdir(conversion.target)) {
      await rm(join(conversion.target, name), { recursive: true, force: true });
    }
    const places = { lower: this.#place('lower'), upper: this.#place('upper'), root: this.#place('root') };
    try {
      if (conversion.to === 'disk') {
        await diskFromRoot(this.#deps, conversion, places, onProgress, signal);
      } else {
        await rootFromDisk(this.#deps, conversion, onProgress, signal);
      }
    } finally {
      for (const place of [places.root, places.upper, places.lower]) unmount(place);
      rmSync(join(this.#deps.runDirectory), { recursive: true, force: true });
    }
  }

  #place(name: string): string {
    const path = join(this.#deps.runDirectory, name);
    mkdirSync(path, { recursive: true, mode: 0o711 });
    return path;
  }
}
