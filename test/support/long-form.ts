/** Set by `npm run test:isolation` and `npm run test:long`: tests that have a long form run it. */
export const LONG_FORM = process.env.MULLION_LONG_FORM === '1';

/** Why a test of the long form alone did not run. */
export const ITS_LONG_FORM = 'its long form only, which `npm run test:long` runs';

/** Set by `npm test` without words: tests on nested hosts leave out what takes them longest. */
export const BRIEF_FORM = process.env.MULLION_BRIEF_FORM === '1';

/** Why a test did not run in the brief form. */
export const ITS_WHOLE_FORM = 'its whole form only, which `npm run test:nested` runs, and `npm test -- all`';
