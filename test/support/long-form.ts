/** Set by `npm run test:isolation`: tests that have a long form run it. */
export const LONG_FORM = process.env.MULLION_LONG_FORM === '1';
