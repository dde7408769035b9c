import { closeSync } from 'node:fs';
import { checked, libc, O_CLOEXEC } from './syscalls/libc.ts';

/** A pipe for two commands (pipe(2)), each of which is given one end; disposing closes both ends here. */
export interface Pipe extends Disposable {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/** @throws SystemError */
export function openPipe(): Pipe {
  const memory = Buffer.alloc(8);
  checked('pipe2', libc().pipe2(memory, O_CLOEXEC));
  const readEnd = memory.readInt32LE(0);
  const writeEnd = memory.readInt32LE(4);
  return {
    readEnd,
    writeEnd,
    [Symbol.dispose]: () => {
      closeSync(readEnd);
      closeSync(writeEnd);
    },
  };
}
