import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import { AgentChannel } from './agent-channel.ts';

const RESYNC = 0xff;
type Answer = (request: { execute: string; arguments?: { id?: number } }, agent: Agent) => void;

/** The guest's end of a line: it hears requests, and says whatever the test wants. */
class Agent extends Duplex {
  readonly #answer: Answer;
  #heard = '';

  constructor(answer: Answer) {
    super();
    this.#answer = answer;
  }
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#heard += chunk.toString('latin1');
    for (let end = this.#heard.indexOf('\n'); end !== -1; end = this.#heard.indexOf('\n')) {
      const line = this.#heard.slice(0, end).replaceAll('\xff', '');
      this.#heard = this.#heard.slice(end + 1);
      this.#answer(JSON.parse(line), this);
    }
    done();
  }
  say(value: unknown): void {
    this.push(`${JSON.stringify(value)}\n`);
  }
  sync(id: number | undefined): void {
    this.push(Buffer.concat([Buffer.from([RESYNC]), Buffer.from(`{"return": ${id}}\n`)]));
  }
}

/** Answers the synchronization as it should, and everything else as told. */
const wellSynced =
  (answer: Answer): Answer =>
  (request, agent) => {
    if (request.execute === 'guest-sync-delimited') agent.sync(request.arguments?.id);
    else answer(request, agent);
  };

function channelTo(...answers: Answer[]): { channel: AgentChannel; connections: () => number } {
  let made = 0;
  const channel = new AgentChannel(async () => {
    const answer = answers[Math.min(made, answers.length - 1)] ?? (() => undefined);
    made += 1;
    return new Agent(answer);
  });
  return { channel, connections: () => made };
}

const unresponsive = (error: unknown): boolean =>
  error instanceof MullionError && error.code === 'guest_unresponsive';
const NumberSchema = z.number();

test('requests that are sent at once are answered each with its own answer', async () => {
  let next = 0;
  const { channel, connections } = channelTo(wellSynced((_request, agent) => agent.say({ return: next++ })));
  const answers = await Promise.all([1, 2, 3].map(() => channel.call('x', {}, NumberSchema)));
  assert.deepEqual(answers, [0, 1, 2]);
  assert.equal(connections(), 1);
});

test('what is left of an older conversation is skipped', async () => {
  const { channel } = channelTo((request, agent) => {
    if (request.execute === 'guest-sync-delimited') {
      agent.push('half an answer"}\n{"return": 99}\n{"error": {"class": "G", "desc": "parse"}}\n');
      agent.sync(1);
      agent.sync(request.arguments?.id);
    } else agent.say({ return: 7 });
  });
  assert.equal(await channel.call('x', {}, NumberSchema), 7);
});

test('an agent that never answers costs its time and no more, and is asked anew', async () => {
  const { channel, connections } = channelTo(
    () => undefined,
    wellSynced((_request, agent) => agent.say({ return: 5 })),
  );
  await assert.rejects(channel.call('x', {}, NumberSchema, 30), unresponsive);
  assert.equal(await channel.call('x', {}, NumberSchema), 5);
  assert.equal(connections(), 2);
});

test('an agent that synchronizes and then falls silent is dropped', async () => {
  const { channel } = channelTo(wellSynced(() => undefined));
  await assert.rejects(channel.call('x', {}, NumberSchema, 30), unresponsive);
});

test('a late answer to a request that was given up is not taken for the next one', async () => {
  let old: Agent | undefined;
  const { channel } = channelTo(
    wellSynced((_request, agent) => {
      old = agent;
    }),
    wellSynced((_request, agent) => {
      old?.say({ return: 666 });
      agent.say({ return: 1 });
    }),
  );
  await assert.rejects(channel.call('x', {}, NumberSchema, 30), unresponsive);
  assert.equal(await channel.call('x', {}, NumberSchema), 1);
});

test('an answer of another shape, or no JSON at all, is an error and not a crash', async () => {
  for (const said of ['{"return": "text"}\n', 'no json\n', '{}\n', '[1]\n', '\x00\x01\n', '{"error": 1}\n']) {
    const { channel } = channelTo(wellSynced((_request, agent) => agent.push(said)));
    await assert.rejects(channel.call('x', {}, NumberSchema, 1000), unresponsive, said);
  }
});

test('a giant answer is not kept in memory', async () => {
  let sent = 0;
  const { channel } = channelTo(
    wellSynced((_request, agent) => {
      const piece = Buffer.alloc(1024 * 1024, 'x');
      while (sent < 64 && !agent.destroyed) {
        agent.push(piece);
        sent += 1;
      }
    }),
  );
  await assert.rejects(channel.call('x', {}, NumberSchema, 5000), unresponsive);
});

test('an agent that talks without end, asked or not, is hung up on', async () => {
  for (const answersFirst of [false, true]) {
    let said = 0;
    const piece = Buffer.from('{"return": {}, "id": "nobody asked"}\n'.repeat(2000));
    const hungUp = Promise.withResolvers<void>();
    const { channel } = channelTo((request, agent) => {
      const talk = (): void => {
        if (agent.destroyed || said > 64 * 1024 * 1024) hungUp.resolve();
        else {
          said += piece.length;
          agent.push(piece);
          setImmediate(talk);
        }
      };
      if (answersFirst && request.execute === 'guest-sync-delimited') agent.sync(request.arguments?.id);
      else if (answersFirst) agent.say({ return: 1 });
      if (!answersFirst || request.execute !== 'guest-sync-delimited') talk();
    });
    const asked = channel.call('x', {}, NumberSchema, 5_000);
    if (answersFirst) assert.equal(await asked, 1);
    else await assert.rejects(asked, unresponsive);
    await hungUp.promise;
    assert.ok(said < 16 * 1024 * 1024, `${said} bytes were heard`);
  }
});

test('an agent that says lines without end, which are cheap to say, is hung up on', async () => {
  for (const said of ['\n', '\xff\n', '{}\n', '{"return": 1}\n', '\xff{"return": 1}\n']) {
    const flood = Buffer.from(said.repeat(Math.floor(65_536 / said.length)), 'latin1');
    let asked = 0;
    const { channel } = channelTo((_request, agent) => {
      asked += 1;
      for (let sent = 0; sent < 32 && !agent.destroyed; sent += 1) agent.push(flood);
    });
    const began = performance.now();
    await assert.rejects(channel.call('x', {}, NumberSchema, 5_000), unresponsive);
    assert.ok(performance.now() - began < 500, JSON.stringify(said));
    assert.equal(asked, 1);
  }
});

test('a refusal carries the words of the agent', async () => {
  const { channel } = channelTo(
    wellSynced((_request, agent) => agent.say({ error: { class: 'GenericError', desc: 'no such file' } })),
  );
  await assert.rejects(
    channel.call('guest-file-open', {}, NumberSchema),
    (error) =>
      error instanceof MullionError && error.code === 'command_failed' && /no such file/.test(error.message),
  );
});

test('a closed channel refuses at once', async () => {
  const { channel } = channelTo(wellSynced(() => undefined));
  const waiting = channel.call('x', {}, NumberSchema, 60_000);
  const refused = assert.rejects(waiting, unresponsive);
  await new Promise((resolve) => setImmediate(resolve));
  channel.close();
  await refused;
  await assert.rejects(channel.call('x', {}, NumberSchema), unresponsive);
});

test('requests without end do not pile up for a guest that does not answer', async () => {
  const { channel } = channelTo(() => undefined);
  const all = Array.from({ length: 300 }, () => channel.call('x', {}, NumberSchema, 20));
  const refused = all.at(-1);
  assert.ok(refused !== undefined);
  await assert.rejects(refused, /too many/);
  channel.close();
  await Promise.allSettled(all);
});
