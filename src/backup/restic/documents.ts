import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import type { SavedFolder, SavedNode } from '../backup.ts';
import { labelsOf } from './render.ts';

const SnapshotSchema = z.object({
  id: z.string().regex(/^[0-9a-f]{64}$/),
  time: z.iso.datetime({ offset: true }),
  tree: z.string().regex(/^[0-9a-f]{64}$/),
  tags: z.array(z.string()).nullish(),
});

const NodeSchema = z.object({
  name: z.string(),
  type: z.string(),
  /** Go's os.FileMode: the low nine bits are the permissions. */
  mode: z.number().int().optional(),
  uid: z.number().int().optional(),
  gid: z.number().int().optional(),
  size: z.number().optional(),
  linktarget: z.string().optional(),
  device: z.number().optional(),
  subtree: z.string().nullish(),
  extended_attributes: z.array(z.object({ name: z.string(), value: z.string().nullish() })).nullish(),
});
export type TreeNode = z.infer<typeof NodeSchema>;
const TreeSchema = z.object({ nodes: z.array(NodeSchema).nullable() });

const StatusSchema = z.object({
  message_type: z.literal('status'),
  bytes_done: z.number().optional(),
  total_bytes: z.number().optional(),
});
const SummarySchema = z.object({
  message_type: z.literal('summary'),
  data_added: z.number(),
  total_bytes_processed: z.number(),
  snapshot_id: z.string(),
});

/** `restic snapshots --json`, oldest first; only what Mullion saved. */
export function readSnapshots(text: string): SavedFolder[] {
  const all = parsed(z.array(SnapshotSchema).nullable(), text) ?? [];
  return all
    .map(({ id, time, tags }) => ({
      id,
      createdAt: new Date(time).toISOString(),
      labels: labelsOf(tags ?? []),
    }))
    .filter(({ labels }) => Object.keys(labels).length > 0)
    .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}

export const readSnapshotTree = (text: string): string =>
  parsed(z.object({ tree: z.string().regex(/^[0-9a-f]{64}$/) }), text).tree;

export const readTree = (text: string): TreeNode[] => parsed(TreeSchema, text).nodes ?? [];

/** One line that `restic backup --json` prints while it works; undefined for what is of no interest. */
export function readProgress(
  line: string,
): z.infer<typeof StatusSchema> | z.infer<typeof SummarySchema> | undefined {
  try {
    const result = z.union([StatusSchema, SummarySchema]).safeParse(JSON.parse(line));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}

/** overlayfs: a character device 0/0 hides a name, the attribute `opaque` all of a folder (kernel, overlayfs.rst). */
export function viewNode(node: TreeNode): SavedNode {
  const attributes = node.extended_attributes ?? [];
  const opaque = attributes.some(
    ({ name, value }) => /^(?:trusted|user)\.overlay\.opaque$/.test(name) && value === 'eQ==',
  );
  return {
    name: node.name,
    type: typeOf(node),
    size: node.size ?? 0,
    mode: (node.mode ?? 0o600) & 0o777,
    uid: node.uid ?? 0,
    gid: node.gid ?? 0,
    target: node.linktarget ?? '',
    opaque,
  };
}

function typeOf({ type, device }: TreeNode): SavedNode['type'] {
  switch (type) {
    case 'file':
      return 'file';
    case 'dir':
      return 'directory';
    case 'symlink':
      return 'symlink';
    case 'chardev':
      return (device ?? 0) === 0 ? 'whiteout' : 'other';
    default:
      return 'other';
  }
}

function parsed<T>(schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new MullionError('command_failed', 'restic answered with something that is not understood.', {
      details: { answer: text.slice(0, 500) },
      cause,
    });
  }
}
