import * as z from 'zod';

/** What QEMU sends on its monitor socket (QEMU, docs/interop/qmp-spec). QEMU is taken for hostile: a guest may own it. */
export const GreetingSchema = z.object({ QMP: z.object({ version: z.unknown() }) });

const IdSchema = z.number().int();
const EventSchema = z.object({
  event: z.string().max(100),
  data: z.record(z.string(), z.unknown()).default({}),
});
export type QmpEvent = z.infer<typeof EventSchema>;

const MessageSchema = z.union([
  EventSchema.transform((event) => ({ kind: 'event', event }) as const),
  z
    .object({ error: z.object({ class: z.string().max(200), desc: z.string().max(4096) }), id: IdSchema })
    .transform(({ error, id }) => ({ kind: 'error', id, error }) as const),
  z
    .object({ return: z.unknown(), id: IdSchema })
    .transform((reply) => ({ kind: 'value', id: reply.id, value: reply.return }) as const),
]);
export type QmpMessage = z.infer<typeof MessageSchema>;

/** undefined: not a message of this protocol. */
export function decodeMessage(line: string): QmpMessage | undefined {
  try {
    return MessageSchema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
