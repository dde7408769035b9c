import { enableCompileCache } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * Compiled code is kept beside the program, never in a folder that others can write to. Where it cannot be written
 * the command just compiles again.
 */
enableCompileCache(join(dirname(import.meta.filename), '.compile-cache'));

// A reader that went away, such as `head`, is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 5));
}

const { runCommandLine } = await import('./run.ts');
process.exitCode = await runCommandLine(process.argv.slice(2), process.env);
