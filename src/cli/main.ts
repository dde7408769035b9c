import { runCommandLine } from './run.ts';

// A reader that went away, such as `head`, is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 5));
}

void runCommandLine(process.argv.slice(2), process.env).then((code) => {
  process.exitCode = code;
});
