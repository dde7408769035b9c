import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { parseArguments } from './parse.ts';
import { COMMANDS } from './registry.ts';
import { resolveCommand } from './resolve.ts';

const read = (name: string): string => readFileSync(join(import.meta.dirname, '../..', name), 'utf8');

/** What stands between words in the type of commands; blocks of them are run by test/e2e/readme.test.ts. */
const INLINE = [
  ...read('README.md')
    .replaceAll(/^```[\s\S]*?^```/gm, '')
    .matchAll(/`([^`]+)`/g),
].map(([, text = '']) => text.replaceAll(/\s+/g, ' '));

/** A group's name and a command without its arguments are names, not requests. */
async function parseLine(line: string): Promise<void> {
  const resolved = resolveCommand(line.split(' '));
  if (resolved.kind !== 'command' || resolved.words.length === 0) return;
  parseArguments(resolved.name, await COMMANDS[resolved.name](), resolved.words);
}

test('a command that README names between words is one, with its arguments and flags', async () => {
  const lines = INLINE.flatMap((text) => /^(?:\.\/)?mullion (.+)$/.exec(text)?.[1] ?? []);
  assert.ok(lines.length > 5, lines.join('; '));
  for (const line of lines) await assert.doesNotReject(parseLine(line), `mullion ${line}`);
});

test('a script that README names is one of package.json', () => {
  const { scripts } = z
    .object({ scripts: z.record(z.string(), z.string()) })
    .parse(JSON.parse(read('package.json')));
  const names = INLINE.flatMap((text) => /^npm run (\S+)/.exec(text)?.[1] ?? []);
  assert.ok(names.length > 0);
  assert.deepEqual(
    names.filter((name) => scripts[name] === undefined),
    [],
  );
});
