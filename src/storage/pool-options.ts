import type { Pool } from '../contract/resources.ts';

/** What the configuration says of the pool. */
export interface PoolOptions {
  readonly backend: 'auto' | Pool['backend'];
  /** An existing folder that is used directly. */
  readonly path?: string | undefined;
  /** Simple quota may be switched on at `path`. */
  readonly quota?: boolean | undefined;
  /** False: no empty volume is kept for the next VPS. */
  readonly ready?: boolean | undefined;
  /** Bytes of the loop file, when one is made; absent: the usual size, or less where that does not fit. */
  readonly size?: number | undefined;
}
