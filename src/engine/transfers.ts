import { Readable } from 'node:stream';
import { MullionError } from '../contract/errors.ts';
import type { ImageExport } from '../images/image-store.ts';
import { unlessAborted } from './bounded.ts';
import type { Measure } from './progress-node.ts';

/** How long a task waits for the client that has to send its file or to read it. */
const PATIENCE_MS = 120_000;

interface Upload {
  readonly content: PromiseWithResolvers<Readable>;
  /** Settles when the task has read it all, or fails as the task does. */
  readonly taken: PromiseWithResolvers<void>;
}
interface Download {
  readonly file: PromiseWithResolvers<{ readonly content: Readable }>;
  asked: PromiseWithResolvers<void>;
}

/** Files that travel beside the request that began their task, known by the task's id. */
export class Transfers {
  readonly #uploads = new Map<string, Upload>();
  readonly #downloads = new Map<string, Download>();

  /** Lets a client send the file of this task from now on. */
  expect(task: string): void {
    const upload: Upload = { content: Promise.withResolvers(), taken: Promise.withResolvers() };
    upload.taken.promise.catch(() => undefined);
    this.#uploads.set(task, upload);
  }

  /** Reads the file that the client sends. */
  async receive<T>(
    task: string,
    signal: AbortSignal,
    work: (content: AsyncIterable<Buffer>) => Promise<T>,
  ): Promise<T> {
    const upload = this.#uploads.get(task);
    if (upload === undefined) throw new MullionError('internal', 'The task expects no file.');
    try {
      const content = await within(signal, upload.content.promise, 'send the file');
      const result = await work(piecesOf(content, () => upload.taken.resolve()));
      upload.taken.resolve();
      return result;
    } catch (failure) {
      upload.taken.reject(failure);
      throw failure;
    } finally {
      this.#uploads.delete(task);
    }
  }

  /** The client's side of `receive`. @throws not_found, and what the task failed with */
  async upload(task: string, content: Readable): Promise<void> {
    const upload = this.#uploads.get(task);
    if (upload === undefined) throw noTransfer(task);
    upload.content.resolve(content);
    await upload.taken.promise;
  }

  /** Lets a client ask for the file of this task from now on. */
  promise(task: string): void {
    const download: Download = { file: Promise.withResolvers(), asked: Promise.withResolvers() };
    download.file.promise.catch(() => undefined);
    this.#downloads.set(task, download);
  }

  /** Gives the file to the client that asks for it; settles when all of it was read. */
  async give(
    task: string,
    file: ImageExport,
    onMeasure: (measure: Measure) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const download = this.#downloads.get(task);
    if (download === undefined) throw new MullionError('internal', 'The task promised no file.');
    await within(signal, download.asked.promise, 'read the file');
    const read = Promise.withResolvers<void>();
    const measured = async function* (): AsyncGenerator<Buffer> {
      let done = 0;
      for await (const piece of file.content) {
        const bytes = Buffer.isBuffer(piece) ? piece : Buffer.from(String(piece));
        done += bytes.length;
        onMeasure({ done, total: file.size, unit: 'bytes' });
        yield bytes;
      }
      // A file that its maker did not finish must not look whole.
      await file.ended;
    };
    const content = Readable.from(measured(), { objectMode: false });
    content.once('end', () => read.resolve());
    content.once('error', (failure) => read.reject(failure));
    content.once('close', () => read.reject(new MullionError('cancelled', 'The client went away.')));
    download.file.resolve({ content });
    try {
      await unlessAborted(signal, read.promise);
    } finally {
      content.destroy();
    }
  }

  /** The client's side of `give`. @throws not_found, and what the task failed with */
  async download(task: string): Promise<Readable> {
    const download = this.#downloads.get(task);
    if (download === undefined) throw noTransfer(task);
    download.asked.resolve();
    return (await download.file.promise).content;
  }

  /** No client is waited for any more; one that waits hears why. */
  close(task: string, failure: unknown): void {
    const why = failure ?? noTransfer(task);
    this.#uploads.get(task)?.taken.reject(why);
    this.#uploads.delete(task);
    this.#downloads.get(task)?.file.reject(why);
    this.#downloads.delete(task);
  }
}

async function* piecesOf(content: Readable, onEnd: () => void): AsyncGenerator<Buffer> {
  try {
    for await (const piece of content) yield Buffer.isBuffer(piece) ? piece : Buffer.from(String(piece));
  } catch (cause) {
    throw new MullionError('cancelled', 'The client went away before the end of the file.', { cause });
  }
  onEnd();
}

async function within<T>(signal: AbortSignal, work: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const failure = new MullionError('timeout', `No client came to ${what}.`);
    timer = setTimeout(() => reject(failure), PATIENCE_MS);
  });
  try {
    return await unlessAborted(signal, Promise.race([work, late]));
  } finally {
    clearTimeout(timer);
  }
}

const noTransfer = (task: string): MullionError =>
  new MullionError('not_found', `No task ${task.slice(0, 64)} waits for a file or has one.`, {
    remedy: 'Begin anew: a file belongs to the task that its request began',
  });
