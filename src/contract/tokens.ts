import * as z from 'zod';
import { NameSchema, ProjectNameSchema } from './names.ts';
import { TOKEN_SCOPES } from './token-scopes.ts';

export const DAY_S = 86_400;
export const TokenNameSchema = NameSchema.describe('Name of a token');
export const TokenScopeSchema = z
  .enum(TOKEN_SCOPES)
  .describe('read-only: the state of every project, no secrets; project: one project; admin: everything');

export const TokenSchema = z.object({
  id: z.string(),
  name: z.string(),
  scope: TokenScopeSchema,
  project: z.string().nullable().describe('the project of a token of that scope'),
  createdBy: z.string().describe('user or token that made it'),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().nullable().describe('since the daemon was started'),
});
export type Token = z.infer<typeof TokenSchema>;

/** A token as it is shown once: what is kept of the secret is its hash. */
export const NewTokenSchema = TokenSchema.extend({ token: z.string().describe('the secret, shown once') });
export type NewToken = z.infer<typeof NewTokenSchema>;

export const CreateTokenRequestSchema = z
  .strictObject({
    name: TokenNameSchema,
    scope: TokenScopeSchema.default('read-only'),
    project: ProjectNameSchema.optional().describe('which project; with the scope project'),
    lifetime: z
      .number()
      .int()
      .min(60)
      .max(3650 * DAY_S)
      .default(90 * DAY_S)
      .describe('seconds until it expires'),
  })
  .refine(({ scope, project }) => (scope === 'project') === (project !== undefined), {
    path: ['project'],
    message: 'belongs to the scope project, and to no other',
  });
export type CreateTokenRequest = z.infer<typeof CreateTokenRequestSchema>;
