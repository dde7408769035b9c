import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { MullionError } from '../contract/errors.ts';
import type { Token } from '../contract/tokens.ts';
import type { Identity } from '../core/access.ts';
import { type Context, now } from './context.ts';
import type { TokenVerbs } from './contract.ts';
import type { TokenRecord } from './records.ts';

/** A prefix by which scanners for leaked secrets know it, the id, and 256 random bits. */
const FORM = /^mullion_([0-9a-f]{16})_([\w-]{43})$/;
const QUEUE = 'tokens';
const MOST = 1_000;

const digestOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();
const NOBODY = digestOf('');

export function tokenVerbs(context: Context): TokenVerbs {
  const { state, queue, events } = context;
  const lastUse = new Map<string, string>();
  const isOver = ({ expiresAt }: TokenRecord): boolean => Date.parse(expiresAt) <= context.clock().getTime();
  const view = ({ digest: _digest, ...token }: TokenRecord): Token => ({
    ...token,
    lastUsedAt: lastUse.get(token.id) ?? null,
  });
  const find = (name: string): TokenRecord | undefined =>
    [...state.tokens.values()].find((token) => token.name === name);

  return {
    async list() {
      return [...state.tokens.values()].map(view).sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    create: ({ name, scope, project, lifetime }, createdBy) =>
      queue.run(QUEUE, async () => {
        if (project !== undefined) state.requireProject(project);
        const former = find(name);
        if (former !== undefined && !isOver(former)) {
          throw new MullionError('already_exists', `There is a token ${name} already.`, {
            remedy: `Choose another name, or delete that one: mullion token delete ${name}`,
          });
        }
        if (state.tokens.size >= MOST) {
          throw new MullionError('quota_exceeded', `There are ${MOST} tokens already.`, {
            remedy: 'Delete some: mullion token delete NAME',
          });
        }
        const secret = randomBytes(32).toString('base64url');
        const record: TokenRecord = {
          id: randomBytes(8).toString('hex'),
          name,
          scope,
          project: project ?? null,
          createdBy,
          createdAt: now(context),
          expiresAt: new Date(context.clock().getTime() + lifetime * 1000).toISOString(),
          digest: digestOf(secret).toString('hex'),
        };
        const replaced = former === undefined ? [] : [state.tokens.drop(former)];
        await state.commit([...replaced, state.tokens.put(record)]);
        events.emit('token.added', project ?? '', name, { id: record.id, scope });
        return { ...view(record), token: `mullion_${record.id}_${secret}` };
      }),
    delete: (name) =>
      queue.run(QUEUE, async () => {
        const record = find(name);
        if (record === undefined) {
          throw new MullionError('not_found', `There is no token ${name}.`, {
            remedy: 'See what there is with: mullion token list',
          });
        }
        await state.commit([state.tokens.drop(record)]);
        lastUse.delete(record.id);
        events.emit('token.removed', record.project ?? '', name, { id: record.id });
      }),
    verify(text) {
      const [, id = '', secret = ''] = FORM.exec(text) ?? [];
      const record = state.tokens.get(id);
      const expected = record === undefined ? NOBODY : Buffer.from(record.digest, 'hex');
      const isSame = timingSafeEqual(digestOf(secret), expected);
      if (record === undefined || !isSame || isOver(record)) return undefined;
      lastUse.set(id, now(context));
      return identityOf(record);
    },
  };
}

const identityOf = ({ id, name, scope, project }: TokenRecord): Identity => ({
  who: `token:${name}/${id}`,
  scope,
  project,
  local: false,
});
