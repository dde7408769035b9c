import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EarlyLinks } from './early-links.ts';

const nothing = async (): Promise<void> => undefined;

test('a link is connected once its rules are there, and that is told once', async () => {
  const links = new EarlyLinks();
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const admitted = links.admit('a', promise).then(() => order.push('admitted'));
  const connect = links.begin('a', async (link: string) => void order.push(link));
  const connected = connect('its link');
  resolve();
  await Promise.all([admitted, connected]);
  assert.deepEqual(order, ['admitted', 'its link']);
  assert.deepEqual([links.takeConnected('a'), links.takeConnected('a')], [true, false]);
});

test('nothing is connected whose rules failed, also long after that', async () => {
  const links = new EarlyLinks();
  await assert.rejects(links.admit('a', Promise.reject(new Error('no rules'))), /no rules/);
  const connect = links.begin('a', () => assert.fail('it must not be connected'));
  await assert.rejects(connect(undefined), /no rules/);
  assert.equal(links.takeConnected('a'), false);
});

test('what goes on preparing a machine that was given up connects nothing', async () => {
  const links = new EarlyLinks();
  const late = links.begin('a', () => assert.fail('it must not be connected'));
  links.forget('a');
  await assert.rejects(late(undefined), { code: 'cancelled' });
  const [began, slow] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const given = links.begin('a', () => {
    began.resolve();
    return slow.promise;
  })(undefined);
  await began.promise;
  links.forget('a');
  links.begin('a', nothing);
  slow.resolve();
  await given;
  assert.equal(links.takeConnected('a'), false, 'the next machine is another');
});
