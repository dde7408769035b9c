/** Set by `npm run test:isolation` and `npm run test:long`: tests that have a long form run it. */
export const LONG_FORM = process.env.MULLION_LONG_FORM === '1';

/** Why a test of the long form alone did not run. */
export const ITS_LONG_FORM = 'its long form only, which `npm run test:long` runs';
