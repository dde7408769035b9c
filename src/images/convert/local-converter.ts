import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Jails } from '../../host/jail/jails.ts';
import { mountsUnder, unmount } from '../../host/mounts.ts';
import type { UserNamespaces } from '../../host/user-namespaces.ts';
import type { Conversion, ConversionProgress, DataConverter } from '../converter.ts';
import { diskFromRoot, type RootPlaces } from './disk-from-root.ts';
import { rootFromDisk } from './root-from-disk.ts';

export interface ConverterDeps {
  readonly jails: Jails;
  readonly userNamespaces: UserNamespaces;
  /** Folder for what is mounted meanwhile. */
  readonly runDirectory: string;
}

/** The converter of this host, after what a killed daemon left mounted is gone. */
export function openConverter(deps: ConverterDeps): DataConverter {
  clear(deps.runDirectory);
  return new LocalConverter(deps);
}

/** Converts on this host, with every hostile byte read in a jail. */
class LocalConverter implements DataConverter {
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
    if (conversion.to === 'root') return rootFromDisk(this.#deps, conversion, onProgress, signal);
    const folder = this.#folder();
    try {
      await diskFromRoot(this.#deps, conversion, placesIn(folder), onProgress, signal);
    } finally {
      clear(folder);
    }
  }

  #folder(): string {
    mkdirSync(this.#deps.runDirectory, { recursive: true, mode: 0o711 });
    return mkdtempSync(join(this.#deps.runDirectory, 'root-'));
  }
}

function placesIn(folder: string): RootPlaces {
  const place = (name: string): string => {
    const path = join(folder, name);
    mkdirSync(path, { mode: 0o711 });
    return path;
  };
  return { lower: place('lower'), upper: place('upper'), root: place('root') };
}

/** What is mounted below goes first: nothing of it is ever deleted. */
function clear(folder: string): void {
  for (const { target } of mountsUnder(folder).reverse()) unmount(target);
  rmSync(folder, { recursive: true, force: true });
}
