import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { DEFAULT_AUTOSTART } from '../../contract/autostart-policies.ts';
import { MullionError } from '../../contract/errors.ts';
import { ImageNameSchema, NameSchema, VpsNameSchema } from '../../contract/names.ts';
import { ImageSchema } from '../../contract/resources.ts';
import { DEFAULT_RESTART } from '../../contract/restart-policies.ts';
import { TechniqueSchema } from '../../contract/techniques.ts';
import {
  AutostartPolicySchema,
  BusSchema,
  EnvSchema,
  FirmwareSchema,
  ForwardSchema,
  LimitsSchema,
  RestartPolicySchema,
  SshKeySchema,
} from '../../contract/vps.ts';
import type { ImageRecord } from '../../images/image-store.ts';
import type { VpsRecord } from '../records.ts';

/** Lies at the top of every backed-up volume. */
export const DEFINITION_FILE = 'vps.json';
/** Larger is no definition. */
const LIMIT = 4 * 1024 * 1024;

/** All that a restore on any host must know of a VPS; hostile input, as it comes from outside. */
const DefinitionSchema = z.object({
  format: z.literal(1),
  takenAt: z.iso.datetime(),
  /** Bytes that the volume was charged for. */
  used: z.number().int().nonnegative(),
  vps: z.object({
    id: z.string().regex(/^[0-9a-f]{12}$/),
    name: VpsNameSchema,
    technique: TechniqueSchema,
    limits: LimitsSchema,
    env: EnvSchema,
    sshKeys: z.array(SshKeySchema).max(64),
    userData: z.string().max(1_048_576).optional(),
    firmware: FirmwareSchema.optional(),
    bus: BusSchema.optional(),
    network: NameSchema,
    ipv4: z.string().max(64),
    mac: z.string().regex(/^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/),
    machineId: z.string().regex(/^[0-9a-f]{32}$/),
    forwards: z.array(ForwardSchema).max(1000),
    restart: RestartPolicySchema.default(DEFAULT_RESTART),
    autostart: AutostartPolicySchema.default(DEFAULT_AUTOSTART),
    /** Names of firewall groups that it was put into. */
    groups: z.array(NameSchema).max(1000).default([]),
  }),
  image: ImageSchema.omit({ usedBy: true }).extend({ name: ImageNameSchema }),
  /** Id of the image's own saved folder in the same repository. */
  imageSaved: z.string().regex(/^[0-9a-f]{64}$/),
});
export type Definition = z.infer<typeof DefinitionSchema>;

export interface DefinitionParts {
  readonly record: VpsRecord;
  readonly groups: readonly string[];
  readonly image: ImageRecord;
  readonly imageSaved: string;
  readonly used: number;
  readonly takenAt: string;
}

export async function writeDefinition(folder: string, parts: DefinitionParts): Promise<void> {
  const { id, name, technique, limits, env, sshKeys, userData, firmware, bus } = parts.record;
  const { network, ipv4, mac, machineId, forwards, restart, autostart } = parts.record;
  const definition: Definition = {
    format: 1,
    takenAt: parts.takenAt,
    used: parts.used,
    vps: {
      id,
      name,
      technique,
      limits,
      env,
      sshKeys,
      ...(userData === undefined ? {} : { userData }),
      firmware,
      bus,
      network,
      ipv4,
      mac,
      machineId,
      forwards,
      restart,
      autostart,
      groups: [...parts.groups],
    },
    image: { ...parts.image, parts: [...parts.image.parts], onDemand: [...parts.image.onDemand] },
    imageSaved: parts.imageSaved,
  };
  await writeFile(join(folder, DEFINITION_FILE), JSON.stringify(definition), { mode: 0o600 });
}

/** @throws MullionError `backup_damaged` */
export async function parseDefinition(content: AsyncIterable<Uint8Array>): Promise<Definition> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of content) {
    size += piece.length;
    if (size > LIMIT) throw damaged('its definition is too large');
    pieces.push(piece);
  }
  try {
    return DefinitionSchema.parse(JSON.parse(Buffer.concat(pieces).toString('utf8')));
  } catch (cause) {
    throw damaged('its definition cannot be read', cause);
  }
}

const damaged = (why: string, cause?: unknown): MullionError =>
  new MullionError('backup_damaged', `The backup cannot be used: ${why}.`, {
    remedy: 'Restore another one: mullion backup list',
    cause,
  });
