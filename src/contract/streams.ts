import * as z from 'zod';
import { SIGNALS } from './channels.ts';
import { ErrorBodySchema } from './errors.ts';
import { EnvSchema } from './vps.ts';

export * from './channels.ts';

const ArgumentSchema = z
  .string()
  .max(131_072)
  .regex(/^[^\x00]*$/, 'must not contain NUL');

export const WindowSchema = z.strictObject({
  columns: z.number().int().min(1).max(10_000),
  rows: z.number().int().min(1).max(10_000),
});
export type Window = z.infer<typeof WindowSchema>;

export const ExecRequestSchema = z.strictObject({
  argv: z.array(ArgumentSchema).min(1).max(4096),
  env: EnvSchema.default({}),
  cwd: ArgumentSchema.optional(),
  user: z
    .string()
    .regex(
      /^[a-z_0-9][a-z0-9_.-]{0,31}(?::[a-z_0-9][a-z0-9_.-]{0,31})?$/,
      'must be a user name or uid, optionally :group',
    )
    .optional(),
  tty: z.boolean().default(false),
  window: WindowSchema.optional(),
});
export type ExecRequest = z.infer<typeof ExecRequestSchema>;

export const SignalSchema = z.enum(SIGNALS);

export const ClientMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('exec'), request: ExecRequestSchema }),
  z.strictObject({ type: z.literal('stdin-end') }),
  z.strictObject({ type: z.literal('resize'), window: WindowSchema }),
  z.strictObject({ type: z.literal('signal'), signal: SignalSchema }),
]);
export type ClientMessage = z.infer<typeof ClientMessageSchema>;

export const ServerMessageSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('started') }),
  z.strictObject({ type: z.literal('exit'), code: z.number().int() }),
  z.strictObject({ type: z.literal('error'), error: ErrorBodySchema }),
]);
export type ServerMessage = z.infer<typeof ServerMessageSchema>;
