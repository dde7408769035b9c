import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import { DatagramSocket } from '../../host/datagram-socket.ts';
import { hasCode } from '../../host/system-error.ts';
import type { Machine } from '../driver.ts';
import { machinePaths } from './paths.ts';

/** The management console's datagrams (Linux, arch/um/drivers/mconsole.h). */
const MAGIC = 0xcafebabe;
const VERSION = 2;
const DATA_SIZE = 512;
const ANSWER_HEADER = 12;
/** A kernel sends a long answer in pieces of 512 bytes; none of its answers has as many. */
const MOST_PIECES = 128;
const TIMEOUT_MS = 3_000;
const RETRY_MS = 20;

export function encodeCommand(command: string): Buffer {
  const message = Buffer.alloc(12 + DATA_SIZE);
  const length = message.write(command, 12, DATA_SIZE - 1, 'latin1');
  message.writeUInt32LE(MAGIC, 0);
  message.writeUInt32LE(VERSION, 4);
  message.writeInt32LE(length, 8);
  return message;
}

export interface Answer {
  readonly refused: boolean;
  readonly more: boolean;
  readonly text: string;
}

/** Undefined for what is no answer. */
export function decodeAnswer(message: Buffer): Answer | undefined {
  if (message.length < ANSWER_HEADER) return undefined;
  const length = Math.min(message.readUInt32LE(8), message.length - ANSWER_HEADER);
  const text = message.toString('latin1', ANSWER_HEADER, ANSWER_HEADER + length);
  return {
    refused: message.readUInt32LE(0) !== 0,
    more: message.readUInt32LE(4) !== 0,
    text: text.split('\0')[0] ?? '',
  };
}

let lastQuestion = 0;

/**
 * Asks a machine's kernel, which answers in its interrupt, whatever its processes do.
 * @throws MullionError `command_failed` when it refuses, `guest_unresponsive` when nobody answers
 */
export async function askKernel(machine: Machine, command: string, timeoutMs = TIMEOUT_MS): Promise<string> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await ask(machine, command, deadline);
    } catch (cause) {
      if (cause instanceof MullionError && cause.code !== 'timeout') throw cause;
      // A kernel that has just been started makes its socket within the first second.
      const early = hasCode(cause, 'ENOENT', 'ECONNREFUSED') && performance.now() < deadline;
      if (!early) {
        if (
          cause instanceof MullionError ||
          hasCode(cause, 'ENOENT', 'ECONNREFUSED', 'EAGAIN', 'ENOTSOCK', 'ENOTDIR', 'ELOOP')
        )
          throw unanswered(command, cause);
        throw cause;
      }
      await setTimeout(RETRY_MS);
    }
  }
}

async function ask(machine: Machine, command: string, deadline: number): Promise<string> {
  const paths = machinePaths(machine);
  lastQuestion += 1;
  const own = join(paths.sockets, `${process.pid}-${lastQuestion}`);
  using socket = new DatagramSocket(own, machine.ids.base, paths.management);
  socket.send(encodeCommand(command));
  let text = '';
  for (let pieces = 0; pieces < MOST_PIECES; pieces += 1) {
    const answer = decodeAnswer(await socket.receive(Math.max(1, deadline - performance.now())));
    if (answer === undefined) throw unanswered(command);
    text += answer.text.slice(0, DATA_SIZE);
    if (answer.refused)
      throw new MullionError('command_failed', `The guest's kernel refused ${command}: ${text.trim()}`);
    if (!answer.more) return text;
  }
  throw unanswered(command);
}

const unanswered = (command: string, cause?: unknown): MullionError =>
  new MullionError(
    'guest_unresponsive',
    `The guest's kernel does not answer ${command}.`,
    cause === undefined ? {} : { cause },
  );

/** Stands still until it is told to go on. It says so of one that stands already, which is as well. */
export const holdStill = (machine: Machine): Promise<void> => tolerate(machine, 'stop', /^Already stopped/);
export const letRun = (machine: Machine): Promise<void> => tolerate(machine, 'go', /^Not stopped/);

async function tolerate(machine: Machine, command: string, fine: RegExp): Promise<void> {
  try {
    await askKernel(machine, command);
  } catch (failure) {
    const text = failure instanceof MullionError ? (failure.message.split(': ').at(-1) ?? '') : '';
    if (!fine.test(text)) throw failure;
  }
}
