import { createRequire, enableCompileCache } from 'node:module';

/**
 * Compiled code is kept beside the program, never in a folder that others can write to. Where it cannot be written
 * the command just compiles again.
 */
enableCompileCache(`${import.meta.dirname}/.compile-cache`);

/** Commands that work on the machine itself need the daemon's rooms. */
const WHOLE = new Set(['quickstart', 'daemon']);

// The others are one CommonJS file: it loads in half the time of the same code as ES modules.
const first = process.argv.slice(2).find((word) => !word.startsWith('-'));
if (first !== undefined && WHOLE.has(first)) await import(`${import.meta.dirname}/whole.mjs`);
else createRequire(import.meta.filename)('./light.cjs');
