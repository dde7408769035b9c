import { AUTOSTART_POLICIES } from '../../contract/autostart-policies.ts';
import { MullionError } from '../../contract/error-table.ts';
import { PROPERTIES, type PropertyName } from '../../contract/properties.ts';
import { RESTART_POLICIES } from '../../contract/restart-policies.ts';
import type { RouteBodyInput } from '../../contract/routes.ts';
import { defineCommand } from '../command.ts';
import { printJson, say, warn } from '../context.ts';
import { readTextFile } from '../files.ts';
import { readRate, readSize, splitPair } from '../flag-value.ts';
import { firstWait, followTask, handedOver } from '../follow.ts';
import { usage } from '../parse.ts';
import { suggest } from '../suggest.ts';
import { VPS } from '../vps-argument.ts';

const NAMES = Object.keys(PROPERTIES);

export const command = defineCommand({
  summary: 'change properties of a VPS',
  description: `Changes take effect at once where the technique can, else at the next start, and it says so. Properties: ${NAMES.join(', ')}.\n\nenv takes pairs parted by commas, and replaces the whole environment: env=A=1,B=2. sshKeys takes the path of a file of public keys.\n\nA low diskWriteRate or diskWriteOps of a VPS of technique os makes neighbours wait that sync meanwhile; docs/security.md says how long.`,
  arguments: {
    name: VPS,
    changes: { label: 'KEY=VALUE', summary: 'properties and their new values', arity: 'many' },
  },
  flags: {},
  examples: [
    { line: 'mullion set web memory=1G', does: 'give it more memory' },
    { line: 'mullion set web cpus=0.5 pids=200', does: 'two limits at once' },
    {
      line: 'mullion set web networkOutRate=100M diskWriteRate=20M',
      does: 'let it send 100 Mbit/s and write 20 MiB/s at most; 0 takes a limit away',
    },
    { line: 'mullion set web restart=always', does: 'start it again whenever it ends by itself' },
    { line: 'mullion set web autostart=always', does: 'start it with the host, also when it was stopped' },
  ],
  seeAlso: ['info', 'restart'],
  run: async (context, { arguments: { name, changes } }) => {
    const body = Object.assign({}, ...changes.map(readChange));
    const begun = await context.client.call('vps.set', {
      params: { name },
      query: { ...context.project, wait: firstWait(context) },
      body,
    });
    if (handedOver(context, begun)) return 0;
    const task = await followTask(context, begun);
    if (context.json) {
      printJson(context, task);
      return 0;
    }
    const vps = await context.client.call('vps.info', { params: { name }, query: context.project });
    const waiting = vps.pendingRestart.filter((key) => Object.hasOwn(body, key));
    say(context, `${vps.name} is changed`);
    if (waiting.length > 0) {
      warn(context, `${waiting.join(', ')} takes effect at the next start: mullion restart ${vps.name}`);
    }
    return 0;
  },
});

const isProperty = (key: string): key is PropertyName => Object.hasOwn(PROPERTIES, key);

/** One KEY=VALUE as part of the request. */
export function readChange(word: string): RouteBodyInput<'vps.set'> {
  const [key, value] = splitPair('property', word, 'set');
  if (!isProperty(key)) {
    const [near] = suggest(key, NAMES);
    const hint = near === undefined ? '' : ` Did you mean ${near}?`;
    throw usage('set', `There is no property "${key}".${hint} There are ${NAMES.join(', ')}.`);
  }
  switch (key) {
    case 'memory':
    case 'disk':
    case 'diskReadRate':
    case 'diskWriteRate':
      return { [key]: readSize(key, value, 'set') };
    case 'networkInRate':
    case 'networkOutRate':
      return { [key]: readRate(key, value, 'set') };
    case 'cpus':
    case 'pids':
    case 'diskReadOps':
    case 'diskWriteOps':
      if (!/^-?\d+(?:\.\d+)?$/.test(value)) throw usage('set', `${key}: "${value}" is not a number.`);
      return { [key]: Number(value) };
    case 'env': {
      const pairs = value === '' ? [] : value.split(',').map((pair) => splitPair('env', pair, 'set'));
      return { env: Object.fromEntries(pairs) };
    }
    case 'restart':
      return { restart: oneOf(key, RESTART_POLICIES, value) };
    case 'autostart':
      return { autostart: oneOf(key, AUTOSTART_POLICIES, value) };
    case 'sshKeys':
      return { sshKeys: value === '' ? [] : keysOf(value) };
  }
}

function oneOf<T extends string>(key: string, choices: readonly T[], value: string): T {
  const choice = choices.find((known) => known === value);
  if (choice !== undefined) return choice;
  throw usage('set', `${key}: "${value}" is none of ${choices.join(', ')}.`);
}

function keysOf(path: string): string[] {
  const keys = readTextFile(path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (keys.length === 0) throw new MullionError('invalid_request', `The file ${path} holds no key.`);
  return keys;
}
