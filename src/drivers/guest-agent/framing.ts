import * as z from 'zod';

/**
 * Framing of the QEMU guest agent's protocol: JSON lines, of which a byte 0xFF, impossible in UTF-8, marks a new
 * beginning (QEMU, "QEMU Guest Agent Protocol Reference", guest-sync-delimited).
 */
export const RESYNC = 0xff;

export function encodeRequest(command: string, args?: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(args === undefined ? { execute: command } : { execute: command, arguments: args })}\n`;
}

/** Makes an agent drop what it has half read, and answer with `id` after a byte 0xFF. */
export function encodeSync(id: number): Buffer {
  return Buffer.concat([Buffer.from([RESYNC]), Buffer.from(encodeRequest('guest-sync-delimited', { id }))]);
}

const ReplySchema = z.union([
  z.object({ error: z.object({ class: z.string().max(200), desc: z.string().max(4096) }) }),
  z.object({ return: z.unknown() }),
]);

export type Reply =
  | { readonly kind: 'value'; readonly value: unknown; readonly resynced: boolean }
  | { readonly kind: 'error'; readonly message: string; readonly resynced: boolean }
  | { readonly kind: 'garbage' };

/** One line from an agent. Whatever stands before a byte 0xFF is the rest of an older conversation. */
export function decodeReply(line: Buffer): Reply {
  const mark = line.lastIndexOf(RESYNC);
  const resynced = mark !== -1;
  let json: unknown;
  try {
    json = JSON.parse(line.toString('utf8', mark + 1));
  } catch {
    return { kind: 'garbage' };
  }
  const parsed = ReplySchema.safeParse(json);
  if (!parsed.success) return { kind: 'garbage' };
  return 'error' in parsed.data
    ? { kind: 'error', message: parsed.data.error.desc, resynced }
    : { kind: 'value', value: parsed.data.return, resynced };
}
