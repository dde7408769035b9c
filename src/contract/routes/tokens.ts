import * as z from 'zod';
import { CreateTokenRequestSchema, NewTokenSchema, TokenNameSchema, TokenSchema } from '../tokens.ts';
import { json, list, route } from './route.ts';

/** Who may use the API over the network. */
export const tokensRoutes = {
  'tokens.list': route({
    method: 'GET',
    path: '/v1/tokens',
    summary: 'List tokens, without their secrets',
    response: list(TokenSchema),
    access: 'admin',
    ...json,
  }),
  'tokens.create': route({
    method: 'POST',
    path: '/v1/tokens',
    summary: 'Make a token; its secret is answered this once',
    body: CreateTokenRequestSchema,
    response: NewTokenSchema,
    access: 'admin',
    transfer: 'json',
    status: 201,
  }),
  'tokens.delete': route({
    method: 'DELETE',
    path: '/v1/tokens/:name',
    summary: 'Delete a token, which ends what it has open',
    params: z.strictObject({ name: TokenNameSchema }),
    response: z.void(),
    access: 'admin',
    transfer: 'none',
    status: 204,
  }),
} as const;
