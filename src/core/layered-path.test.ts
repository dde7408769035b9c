import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MullionError } from '../contract/errors.ts';
import { findLayered, type LayerNode, type Look } from './layered-path.ts';

const plain = (type: LayerNode['type']): LayerNode => ({ type, target: '', opaque: false });
const link = (target: string): LayerNode => ({ type: 'symlink', target, opaque: false });
const DIR = plain('directory');
const FILE = plain('file');

const look =
  (nodes: Readonly<Record<string, LayerNode>>): Look =>
  async (path) =>
    nodes[path];

const lower = look({
  etc: DIR,
  'etc/passwd': FILE,
  'etc/gone': FILE,
  'etc/old': DIR,
  'etc/old/file': FILE,
  'etc/localtime': link('../usr/zone'),
  usr: DIR,
  'usr/zone': FILE,
  lib: link('usr'),
  loop: link('loop'),
  out: link('/../../../etc/passwd'),
  pipe: plain('other'),
});
const upper = look({
  etc: DIR,
  'etc/passwd': FILE,
  'etc/gone': plain('whiteout'),
  'etc/old': { ...DIR, opaque: true },
  'etc/old/new': FILE,
  abs: link('/etc/passwd'),
});
const find = (path: string) => findLayered(path, upper, lower);

const failing = (code: string) => (error: unknown) => error instanceof MullionError && error.code === code;

describe('a file of two layers', () => {
  test('is the upper one, or else the lower one', async () => {
    assert.deepEqual(await find('/etc/passwd'), { layer: 'upper', path: 'etc/passwd' });
    assert.deepEqual(await find('/usr/zone'), { layer: 'lower', path: 'usr/zone' });
  });

  test('is hidden by a whiteout and by an opaque folder', async () => {
    await assert.rejects(find('/etc/gone'), failing('not_found'));
    await assert.rejects(find('/etc/old/file'), failing('not_found'));
    await assert.rejects(find('/etc/old/../old/file'), failing('not_found'));
    assert.deepEqual(await find('/etc/old/new'), { layer: 'upper', path: 'etc/old/new' });
  });

  test('is found through links, which never lead out', async () => {
    assert.deepEqual(await find('/etc/localtime'), { layer: 'lower', path: 'usr/zone' });
    assert.deepEqual(await find('/lib/zone'), { layer: 'lower', path: 'usr/zone' });
    assert.deepEqual(await find('/abs'), { layer: 'upper', path: 'etc/passwd' });
    assert.deepEqual(await find('/out'), { layer: 'upper', path: 'etc/passwd' });
  });

  test('is refused where it is none', async () => {
    await assert.rejects(find('/etc'), failing('invalid_request'));
    await assert.rejects(find('/'), failing('invalid_request'));
    await assert.rejects(find('/pipe'), failing('invalid_request'));
    await assert.rejects(find('/loop'), failing('invalid_request'));
    await assert.rejects(find('/usr/zone/x'), failing('not_found'));
    await assert.rejects(find('/nothing'), failing('not_found'));
  });
});
