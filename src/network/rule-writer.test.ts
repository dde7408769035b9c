import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../core/logger.ts';
import { createNaming } from '../core/naming.ts';
import { RuleBook } from './rule-book.ts';
import { createRuleWriter } from './rule-writer.ts';

const own = (owner: string) => (book: RuleBook) =>
  book.set(owner, [{ family: 'inet', set: 'subnets4', key: `key-${owner}` }]);

/** A kernel that takes transactions one at a time and refuses those that `refuse` names. */
function recorder(refuse: (commands: string) => boolean = () => false) {
  const applied: string[] = [];
  let busy = false;
  const apply = async (commands: string): Promise<void> => {
    assert.equal(busy, false, 'one at a time');
    busy = true;
    await new Promise((resolve) => setImmediate(resolve));
    busy = false;
    if (refuse(commands)) throw new Error('refused');
    applied.push(commands);
  };
  const ways: string[] = [];
  const by = (way: string) => (commands: string) => {
    ways.push(way);
    return apply(commands);
  };
  const kernel = { change: by('change'), replace: by('replace') };
  const writer = createRuleWriter(new RuleBook(createNaming('/s', '/r')), kernel, silentLogger);
  return { writer, applied, ways };
}

test('changes that come while one is written go out together', async () => {
  const { writer, applied } = recorder();
  await Promise.all(['a', 'b', 'c', 'd'].map((owner) => writer.change(own(owner))));
  assert.ok(applied.length <= 2);
  for (const owner of ['a', 'b', 'c', 'd']) assert.match(applied.join(''), new RegExp(`key-${owner}`));
});

test('a change that changes nothing still waits for the one that did', async () => {
  const { writer, applied } = recorder();
  const first = writer.change(own('a'));
  await writer.change(own('a'));
  assert.equal(applied.length, 1);
  await first;
});

test('entries are changed, whole tables are replaced', async () => {
  const { writer, ways } = recorder();
  await writer.replace(() => undefined);
  await writer.change(own('a'));
  await writer.remove();
  assert.deepEqual(ways, ['replace', 'change', 'replace', 'replace']);
});

test('a refused change is followed by writing everything anew', async () => {
  const { writer, applied, ways } = recorder((commands) => commands.startsWith('add'));
  await writer.change(own('a'));
  assert.deepEqual(ways, ['change', 'replace']);
  assert.equal(applied.length, 1);
  assert.match(applied[0] ?? '', /^table inet.*key-a/s);
});

test('a failure reaches every waiting caller, and the next change writes what they wanted', async () => {
  let broken = true;
  const { writer, applied } = recorder(() => broken);
  const results = await Promise.allSettled(['a', 'b'].map((owner) => writer.change(own(owner))));
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  broken = false;
  await writer.change(own('c'));
  assert.match(applied.join(''), /key-a.*key-b.*key-c/s);
});

test('a repeated change after a failure is written', async () => {
  let broken = true;
  const { writer, applied } = recorder(() => broken);
  await assert.rejects(writer.change(own('a')));
  broken = false;
  await writer.change(own('a'));
  assert.match(applied.join(''), /key-a/);
});

test('a refused edit leaves the writer working', async () => {
  const { writer, applied } = recorder();
  const refuse = (): string => {
    throw new Error('in use');
  };
  await assert.rejects(writer.change(refuse), /in use/);
  await writer.change(own('a'));
  assert.equal(applied.length, 1);
});
