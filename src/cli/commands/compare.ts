import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { MullionError } from '../../contract/error-table.ts';
import { TECHNIQUES } from '../../contract/technique-table.ts';
import { defineCommand } from '../command.ts';
import { type Context, printJson, say } from '../context.ts';
import { saveStream } from '../download.ts';
import { fileError } from '../files.ts';
import { usage } from '../parse.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const INTERRUPTED = 130;

export const command = defineCommand({
  summary: 'measure every technique that this host can run',
  description:
    'Runs the same work in one VPS for each technique, one after another: time to userspace and to systemd ready, commands, work of the processor, system calls, memory bandwidth, disk, network, the memory that an idle VPS costs the host, and how many fit. Techniques that cannot run are named with the reason. What it made is deleted at the end, also after Ctrl-C or a failure.\n\nWithout --image it builds compare/debian-12, which has fio, iperf3 and sysbench in it, and deletes it again; build it yourself before to keep it: mullion image build compare/debian-12 --suite bookworm --include fio,iperf3,sysbench\n\nIt takes some minutes, with --quick about one; other work on this host changes the numbers.',
  arguments: {},
  flags: {
    technique: {
      kind: 'texts',
      value: 'TECHNIQUE',
      summary: `only these: ${TECHNIQUES.join(', ')}; may be repeated`,
    },
    quick: { kind: 'boolean', summary: 'start each once and measure each for a second' },
    image: { kind: 'text', value: 'IMAGE', summary: 'measure with this image', complete: 'image' },
    html: { kind: 'text', value: 'FILE', summary: 'write a report with charts, too', complete: 'file' },
  },
  examples: [
    { line: 'mullion compare', does: 'a table' },
    { line: 'mullion compare --html report.html', does: 'and a report with charts, as one file' },
    { line: 'mullion compare --quick --technique os --technique full', does: 'a first impression' },
    { line: 'mullion compare --json > report.json', does: 'for other programs' },
  ],
  seeAlso: ['techniques', 'launch'],
  run: async (context, { flags: { technique, quick, image, html } }) => {
    if (!context.wait)
      throw usage('compare', 'compare is no task that goes on by itself: leave --no-wait out.');
    const techniques = technique.flatMap((words) => words.split(',')).map(techniqueOf);
    if (html !== undefined) requireWritable(html);
    const { compare } = await import('../compare/compare.ts');
    const result = await untilInterrupted(context, (signal) =>
      compare(context, { techniques, image, quick }, signal),
    );
    if (result === undefined) return INTERRUPTED;
    if (html !== undefined) {
      const { renderReport } = await import('../compare/report.ts');
      await saveStream(Readable.from([Buffer.from(renderReport(result))]), html);
    }
    if (context.json) printJson(context, result);
    else {
      const { renderComparison } = await import('../compare/table.ts');
      const width = context.terminal.isTerminal ? context.terminal.width : 80;
      context.terminal.printAll(renderComparison(result, width, context.terminal.style));
    }
    if (html !== undefined) say(context, `The report is in ${html}`);
    return result.techniques.some(({ state }) => state === 'failed') ? 5 : 0;
  },
});

function techniqueOf(word: string): (typeof TECHNIQUES)[number] {
  const found = TECHNIQUES.find((id) => id === word);
  if (found !== undefined) return found;
  throw usage(
    'compare',
    `There is no technique ${JSON.stringify(word)}; there are ${TECHNIQUES.join(', ')}.`,
  );
}

/** Fails before minutes of work, not after them. */
function requireWritable(file: string): void {
  try {
    accessSync(dirname(file), constants.W_OK);
  } catch (cause) {
    throw fileError(file, 'written', cause);
  }
  if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new MullionError('invalid_request', `${file} is a folder.`, { remedy: 'Name a file in it' });
  }
}

/** Undefined after Ctrl-C, once all is cleaned up; a second one ends the command at once. */
async function untilInterrupted<T>(
  context: Context,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    context.terminal.note('Deleting what was made; once more to leave it.');
    controller.abort();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    return await work(controller.signal);
  } catch (failure) {
    if (controller.signal.aborted) return undefined;
    throw failure;
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}
