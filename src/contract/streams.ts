import * as z from 'zod';
import { ErrorBodySchema } from './errors.ts';
import { EnvSchema } from './vps.ts';

/**
 * The protocol of `exec` and `console` over WebSocket (RFC 6455).
 * Binary messages carry data; their first byte is the channel. Text messages carry one JSON control message.
 * The client's first message of `exec` is the control message `exec`.
 */
export const CHANNEL = { stdin: 0, stdout: 1, stderr: 2 } as const;
export type Channel = (typeof CHANNEL)[keyof typeof CHANNEL];

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

export const SIGNALS = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGKILL',
  'SIGUSR1',
  'SIGUSR2',
  'SIGTSTP',
  'SIGCONT',
  'SIGWINCH',
] as const;
export const SignalSchema = z.enum(SIGNALS);
export type Signal = z.infer<typeof SignalSchema>;

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
