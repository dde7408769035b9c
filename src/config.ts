import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import * as z from 'zod';
import { MullionError } from './contract/errors.ts';
import { CONFIG_FILE, DEFAULT_RUN_DIRECTORY } from './contract/locations.ts';
import { SizeSchema } from './contract/sizes.ts';
import { DriverNameSchema, TechniqueSchema } from './contract/techniques.ts';

/** Everything that can be configured, with its default and the variable that overrides the file. */
export const ConfigSchema = z.strictObject({
  stateDirectory: z
    .string()
    .startsWith('/')
    .default('/var/lib/mullion')
    .describe('data that outlives a restart'),
  runDirectory: z
    .string()
    .startsWith('/')
    .default(DEFAULT_RUN_DIRECTORY)
    .describe('sockets and runtime state'),
  cacheDirectory: z
    .string()
    .startsWith('/')
    .default('/var/cache/mullion')
    .describe('downloaded packages and built images that may be deleted'),
  nodeName: z.string().min(1).max(253).optional().describe('name of this node; the host name when absent'),
  pool: z
    .strictObject({
      backend: z.enum(['auto', 'btrfs', 'dir']).default('auto'),
      path: z.string().startsWith('/').optional().describe('an existing btrfs folder, used directly'),
      size: SizeSchema.optional().describe(
        'size of the loop file; when absent 20G, or four fifths of what the file system below can spare where that is less',
      ),
      quota: z
        .boolean()
        .default(false)
        .describe(
          'switch simple quota on at `path`, which holds VPSs to their disk limits; for good: kernels before 6.7 cannot mount that file system any more. A loop file always has it',
        ),
    })
    .prefault({}),
  network: z
    .strictObject({
      ipv4: z.cidrv4().default('10.77.0.0/24').describe('subnet of the network default'),
      enabled: z.boolean().default(true),
    })
    .prefault({}),
  listen: z
    .strictObject({
      address: z.string().default('127.0.0.1'),
      port: z.number().int().min(1).max(65_535),
      certificate: z.string().startsWith('/'),
      key: z.string().startsWith('/'),
      tokenFile: z
        .string()
        .startsWith('/')
        .optional()
        .describe(
          "file of mode 0600 with one more administrator's token; better: mullion token create, which keeps its hash only",
        ),
    })
    .optional()
    .describe('HTTPS with bearer tokens; off when absent'),
  ready: z
    .boolean()
    .default(true)
    .describe(
      'keep what the next VPSs begin with, some namespaces and empty volumes; false: nothing is kept for VPSs to come, and a launch takes longer',
    ),
  keepApart: z
    .boolean()
    .default(true)
    .describe(
      'a container that uses all its processor time leaves the processors beyond its number to others; false: it may run on every one',
    ),
  drivers: z
    .partialRecord(TechniqueSchema, DriverNameSchema)
    .default({})
    .describe('driver of a technique, where another than the usual is wanted'),
});
export type Config = z.infer<typeof ConfigSchema> & { readonly nodeName: string };

/** Environment variables that override a field of the file. */
export const VARIABLES: Readonly<Record<string, readonly string[]>> = {
  MULLION_STATE_DIR: ['stateDirectory'],
  MULLION_RUN_DIR: ['runDirectory'],
  MULLION_CACHE_DIR: ['cacheDirectory'],
  MULLION_NODE_NAME: ['nodeName'],
  MULLION_POOL_BACKEND: ['pool', 'backend'],
  MULLION_POOL_PATH: ['pool', 'path'],
  MULLION_POOL_SIZE: ['pool', 'size'],
  MULLION_NETWORK_IPV4: ['network', 'ipv4'],
};

/**
 * The configuration: file (`MULLION_CONFIG`, or /etc/mullion/config.json when it exists), then the environment.
 * @throws MullionError `invalid_request` that names the field.
 */
export function loadConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const path = environment.MULLION_CONFIG ?? CONFIG_FILE;
  const merged = readConfigFile(path, environment.MULLION_CONFIG !== undefined);
  for (const [variable, field] of Object.entries(VARIABLES)) {
    const value = environment[variable];
    if (value !== undefined && value !== '') assign(merged, field, value);
  }
  const result = ConfigSchema.safeParse(merged);
  if (!result.success) {
    throw new MullionError(
      'invalid_request',
      `The configuration is wrong: ${z.prettifyError(result.error)}`,
      {
        remedy: `Correct ${path} or the MULLION_ variables; docs/config.md lists every field`,
      },
    );
  }
  return { ...result.data, nodeName: result.data.nodeName ?? hostname() };
}

function readConfigFile(path: string, required: boolean): Record<string, unknown> {
  try {
    return z.record(z.string(), z.unknown()).parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    if (!required && cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return {};
    throw new MullionError('invalid_request', `The configuration file ${path} cannot be read as JSON.`, {
      remedy: 'Correct or remove the file',
      cause,
    });
  }
}

function assign(target: Record<string, unknown>, path: readonly string[], value: string): void {
  const [head, ...rest] = path;
  if (head === undefined) return;
  if (rest.length === 0) {
    target[head] = value;
    return;
  }
  const child = z
    .record(z.string(), z.unknown())
    .catch({})
    .parse(target[head] ?? {});
  target[head] = child;
  assign(child, rest, value);
}
