import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import { QmpClient } from './qmp.ts';

type Answer = (command: string, id: number, monitor: Monitor) => void;

/** QEMU's end of its monitor socket. */
class Monitor extends Duplex {
  readonly #answer: Answer;

  constructor(answer: Answer, greeting = '{"QMP": {"version": {}, "capabilities": []}}\r\n') {
    super();
    this.#answer = answer;
    this.push(greeting);
  }
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const { execute, id } = JSON.parse(chunk.toString());
    if (execute === 'qmp_capabilities') this.say({ return: {}, id });
    else this.#answer(execute, id, this);
    done();
  }
  say(value: unknown): void {
    this.push(`${JSON.stringify(value)}\r\n`);
  }
}

const ofCode = (code: string) => (error: unknown) => error instanceof MullionError && error.code === code;

test('answers find their commands by id, whatever their order', async () => {
  const ids: number[] = [];
  const client = await QmpClient.open(
    new Monitor((_command, id, monitor) => {
      ids.push(id);
      if (ids.length < 2) return;
      for (const known of ids.toReversed()) monitor.say({ return: known, id: known });
    }),
  );
  const [first, second] = await Promise.all([
    client.execute('a', {}, z.number()),
    client.execute('b', {}, z.number()),
  ]);
  assert.deepEqual([first, second], ids);
});

test('a refusal carries the words of QEMU', async () => {
  const client = await QmpClient.open(
    new Monitor((_command, id, monitor) =>
      monitor.say({ error: { class: 'GenericError', desc: 'no room' }, id }),
    ),
  );
  await assert.rejects(client.execute('a', {}, z.unknown()), /no room/);
});

test('events reach their listeners, also between answers', async () => {
  const client = await QmpClient.open(
    new Monitor((_command, id, monitor) => {
      monitor.say({ event: 'SHUTDOWN', data: { guest: true }, timestamp: {} });
      monitor.say({ return: {}, id });
    }),
  );
  const heard: string[] = [];
  client.onEvent(({ event }) => heard.push(event));
  await client.execute('a', {}, z.unknown());
  assert.deepEqual(heard, ['SHUTDOWN']);
});

test('a QEMU that does not greet, or greets with something else, is given up', async () => {
  await assert.rejects(QmpClient.open(new Monitor(() => undefined, ''), 30), ofCode('start_failed'));
  await assert.rejects(
    QmpClient.open(new Monitor(() => undefined, '{"hello": 1}\n'), 1000),
    ofCode('start_failed'),
  );
});

test('a command that is not answered fails in its time, and the next one works', async () => {
  const client = await QmpClient.open(
    new Monitor((command, id, monitor) => {
      if (command === 'good') monitor.say({ return: 1, id });
    }),
  );
  await assert.rejects(client.execute('bad', {}, z.unknown(), 30), ofCode('timeout'));
  assert.equal(await client.execute('good', {}, z.number()), 1);
});

test('a line without end, and an answer of another shape, are errors', async () => {
  const endless = await QmpClient.open(
    new Monitor((_c, _id, monitor) => monitor.push(Buffer.alloc(2 ** 21, 'x'))),
  );
  await assert.rejects(endless.execute('a', {}, z.unknown()), ofCode('start_failed'));
  assert.ok(endless.closed);
  const odd = await QmpClient.open(new Monitor((_c, id, monitor) => monitor.say({ return: 'text', id })));
  await assert.rejects(odd.execute('a', {}, z.number()), ofCode('command_failed'));
});

test('all commands fail when the connection is lost', async () => {
  const client = await QmpClient.open(new Monitor((_command, _id, monitor) => monitor.destroy()));
  await assert.rejects(client.execute('a', {}, z.unknown()), ofCode('start_failed'));
  await client.ended;
  await assert.rejects(client.execute('b', {}, z.unknown()), ofCode('start_failed'));
});
