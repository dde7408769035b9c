/** Builds an image and prints its record: `image-build.ts POOL CACHE APT NAME`. Tests kill it half-way. */
import { silentLogger } from '../../src/core/logger.ts';
import { openImageStore } from '../../src/images/local-image-store.ts';
import { DirPool } from '../../src/storage/dir/dir-pool.ts';
import { jailsIn } from './jails.ts';

const [root = '', cacheDirectory = '', aptFolder = '', name = ''] = process.argv.slice(2);
const pool = new DirPool(root, 'test', `${root}.lock`);
await pool.open();
const store = await openImageStore({
  pool,
  cacheDirectory,
  aptFolder,
  logger: silentLogger,
  jails: jailsIn(`${root}-jails`),
});
const record = await store.build(
  'default',
  { name, include: [] },
  ({ step, done, total }) => console.log(JSON.stringify({ step, done, total })),
  new AbortController().signal,
);
console.log(JSON.stringify({ step: 'done', record }));
