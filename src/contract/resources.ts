import * as z from 'zod';
import { ImageSetupSchema, PackageNameSchema, SuiteSchema } from './image-recipe.ts';
import { ImageNameSchema, NetworkNameSchema, ProjectNameSchema } from './names.ts';
import { BytesSchema, SizeSchema } from './sizes.ts';

/**
 * rootfs: a folder; disk: a file system without partitions; kernel: a kernel with its initial file system;
 * boot-disk: a whole disk with a boot loader of its own; iso: a medium to boot or install from.
 */
export const ImagePartSchema = z.enum(['rootfs', 'disk', 'kernel', 'boot-disk', 'iso']);
export type ImagePart = z.infer<typeof ImagePartSchema>;

/** What an image without an init system runs as its first program; numbers are ids inside. */
export const ImageProgramSchema = z.object({
  argv: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()),
  cwd: z.string(),
  uid: z.number().int(),
  gid: z.number().int(),
  groups: z.array(z.number().int()),
  stopSignal: z.number().int().describe('the signal at which it ends'),
});
export type ImageProgram = z.infer<typeof ImageProgramSchema>;

export const ImageSchema = z.object({
  id: z.string(),
  name: z.string(),
  project: z.string(),
  origin: z.string().describe('where it came from, for example mmdebstrap bookworm'),
  digest: z
    .string()
    .describe('sha256: of the recipe and what it resolved to, of the manifest, or of the file'),
  parts: z.array(ImagePartSchema),
  onDemand: z
    .array(ImagePartSchema)
    .default([])
    .describe('parts that are made of the others when a VPS first needs them'),
  program: ImageProgramSchema.nullable().default(null),
  size: BytesSchema,
  /** Smallest disk that holds the image, for techniques that give it a disk. */
  minimumDisk: BytesSchema,
  architecture: z.string(),
  createdAt: z.iso.datetime(),
  usedBy: z.number().int().describe('how many VPSs use it'),
});
export type Image = z.infer<typeof ImageSchema>;

export const BuildImageRequestSchema = z.strictObject({
  name: ImageNameSchema,
  suite: SuiteSchema.optional().describe(
    'Debian release; taken from the name debian/12 or debian/13 when absent',
  ),
  include: z.array(PackageNameSchema).max(500).default([]).describe('packages to add'),
  setup: ImageSetupSchema.optional().describe('what is done after the packages are installed'),
});
export type BuildImageRequest = z.infer<typeof BuildImageRequestSchema>;

export const NetworkSchema = z.object({
  name: z.string(),
  project: z.string(),
  bridge: z.string(),
  ipv4: z.string().describe('gateway address and prefix, for example 10.77.0.1/24'),
  ipv6: z.string().describe('gateway address and prefix inside a unique local prefix (RFC 4193)'),
  domain: z.string(),
  usedBy: z.number().int(),
  createdAt: z.iso.datetime(),
});
export type Network = z.infer<typeof NetworkSchema>;

export const CreateNetworkRequestSchema = z.strictObject({
  name: NetworkNameSchema,
  ipv4: z.cidrv4().optional().describe('subnet, for example 10.80.0.0/24; chosen when absent'),
});
export type CreateNetworkRequest = z.infer<typeof CreateNetworkRequestSchema>;

export const PoolSchema = z.object({
  name: z.string(),
  backend: z.enum(['btrfs', 'dir']),
  path: z.string(),
  size: BytesSchema,
  used: BytesSchema,
  free: BytesSchema,
  volumes: z.number().int(),
  features: z.object({
    quota: z.boolean().describe('a VPS is stopped at its disk limit'),
    reflink: z.boolean().describe('copies cost no space and no time'),
    snapshots: z.boolean(),
    grow: z.boolean(),
  }),
  warnings: z.array(z.string()).describe('what this backend cannot do, in words'),
});
export type Pool = z.infer<typeof PoolSchema>;

/** What of the pool belongs to one VPS, to its snapshots, to an image, or to a memory template of an image. */
export const PoolUsageSchema = z.object({
  kind: z.enum(['vps', 'snapshots', 'image', 'template']),
  name: z.string().describe('of the VPS, or of the image'),
  project: z.string(),
  used: BytesSchema.describe('what it holds'),
  exclusive: BytesSchema.describe(
    'what nothing else in the pool holds; snapshots and their VPS are others to each other',
  ),
  shared: BytesSchema.describe('what others hold too'),
  snapshots: z.number().int(),
});
export type PoolUsage = z.infer<typeof PoolUsageSchema>;

export const GrowPoolRequestSchema = z.strictObject({
  size: SizeSchema.describe('the new size, for example 40G'),
});
export type GrowPoolRequest = z.infer<typeof GrowPoolRequestSchema>;

export const ProjectSchema = z.object({
  name: z.string(),
  description: z.string(),
  vps: z.number().int(),
  networks: z.number().int(),
  createdAt: z.iso.datetime(),
});
export type Project = z.infer<typeof ProjectSchema>;

export const CreateProjectRequestSchema = z.strictObject({
  name: ProjectNameSchema,
  description: z.string().max(1000).default(''),
});
export type CreateProjectRequest = z.infer<typeof CreateProjectRequestSchema>;

export const FileEntrySchema = z.object({
  name: z.string(),
  type: z.enum(['file', 'directory', 'symlink', 'other']),
  size: BytesSchema,
  mode: z.number().int().describe('permission bits'),
  uid: z.number().int(),
  gid: z.number().int(),
  modifiedAt: z.iso.datetime(),
});
export type FileEntry = z.infer<typeof FileEntrySchema>;

export const CheckSchema = z.object({
  name: z.string(),
  state: z.enum(['ok', 'warning', 'failed']),
  message: z.string(),
  evidence: z.array(z.string()),
  remedy: z.string(),
});
export type Check = z.infer<typeof CheckSchema>;

export const HostSchema = z.object({
  distribution: z.string(),
  kernel: z.string(),
  processor: z.string().describe('its model, as the kernel tells it'),
  cpus: z.number().int(),
  memoryTotal: BytesSchema,
  memoryAvailable: BytesSchema.describe('what new processes can have without swapping'),
});

export const ServerInfoSchema = z.object({
  version: z.string(),
  build: z.string().describe('differs between builds of one version'),
  api: z.literal('v1'),
  node: z.string(),
  instance: z.string(),
  pid: z.number().int(),
  startedAt: z.iso.datetime(),
  stateDirectory: z.string(),
  host: HostSchema,
});
export type ServerInfo = z.infer<typeof ServerInfoSchema>;

/** A step of a plan, as `--dry-run` prints it. */
export const PlanStepSchema = z.object({ action: z.string(), description: z.string() });
export const LaunchPlanSchema = z.object({
  technique: z.string(),
  reason: z.string(),
  steps: z.array(PlanStepSchema),
});
export type LaunchPlan = z.infer<typeof LaunchPlanSchema>;
