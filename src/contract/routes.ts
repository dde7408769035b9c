import * as z from 'zod';
import {
  DEFAULT_PROJECT,
  ImageNameSchema,
  NetworkNameSchema,
  ProjectNameSchema,
  VpsNameSchema,
} from './names.ts';
import {
  BuildImageRequestSchema,
  CheckSchema,
  CreateNetworkRequestSchema,
  CreateProjectRequestSchema,
  FileEntrySchema,
  GrowPoolRequestSchema,
  ImageSchema,
  LaunchPlanSchema,
  NetworkSchema,
  PoolSchema,
  ProjectSchema,
  ServerInfoSchema,
} from './resources.ts';
import { EventSchema, TaskSchema } from './tasks.ts';
import { TechniqueReportSchema } from './techniques.ts';
import {
  ForwardSchema,
  LaunchRequestSchema,
  SetRequestSchema,
  StopRequestSchema,
  VpsInfoSchema,
  VpsSchema,
} from './vps.ts';

/** json: one document; text, bytes: a stream; events: server-sent events; socket: WebSocket upgrade; none: 204. */
export type Transfer = 'json' | 'text' | 'bytes' | 'events' | 'socket' | 'none';

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly summary: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** JSON body; `bytes` is a raw stream. */
  readonly body?: z.ZodType | 'bytes';
  readonly response: z.ZodType;
  readonly transfer: Transfer;
  readonly status: 200 | 201 | 202 | 204;
}

const route = <const R extends Route>(definition: R): R => definition;

const project = ProjectNameSchema.default(DEFAULT_PROJECT);
const inProject = z.strictObject({ project });
/** `wait`: seconds that the answer may wait for the task to end; the task is answered as it then is. */
const wait = z.coerce.number().min(0).max(60).default(0);
const taskQuery = z.strictObject({ project, wait });
const named = z.strictObject({ name: VpsNameSchema });

const list = <S extends z.ZodType>(schema: S) => z.array(schema);
const task = { response: TaskSchema, transfer: 'json', status: 202 } as const;
const json = { transfer: 'json', status: 200 } as const;

const ABSOLUTE_PATH = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^\/[^\x00-\x1f\x7f]*$/, 'must be an absolute path without control characters')
  .refine((path) => !path.split('/').includes('..'), 'must not contain ".."');
const flag = z.stringbool().default(false);

/** Every route of the API, once: the server, the client, OpenAPI and the fuzzer read it. */
export const ROUTES = {
  'server.info': route({
    method: 'GET',
    path: '/v1',
    summary: 'What answers here',
    response: ServerInfoSchema,
    ...json,
  }),
  'vps.list': route({
    method: 'GET',
    path: '/v1/vps',
    summary: 'List the VPSs of a project',
    query: inProject,
    response: list(VpsSchema),
    ...json,
  }),
  'vps.launch': route({
    method: 'POST',
    path: '/v1/vps',
    summary: 'Create a VPS and start it',
    query: taskQuery,
    body: LaunchRequestSchema,
    ...task,
  }),
  'vps.plan': route({
    method: 'POST',
    path: '/v1/vps/plan',
    summary: 'What a launch would do',
    query: inProject,
    body: LaunchRequestSchema,
    response: LaunchPlanSchema,
    ...json,
  }),
  'vps.info': route({
    method: 'GET',
    path: '/v1/vps/:name',
    summary: 'One VPS with its usage',
    params: named,
    query: inProject,
    response: VpsInfoSchema,
    ...json,
  }),
  'vps.set': route({
    method: 'PATCH',
    path: '/v1/vps/:name',
    summary: 'Change properties of a VPS',
    params: named,
    query: taskQuery,
    body: SetRequestSchema,
    ...task,
  }),
  'vps.delete': route({
    method: 'DELETE',
    path: '/v1/vps/:name',
    summary: 'Delete a VPS and its data',
    params: named,
    query: z.strictObject({ project, wait, force: flag }),
    ...task,
  }),
  'vps.start': route({
    method: 'POST',
    path: '/v1/vps/:name/start',
    summary: 'Start a VPS',
    params: named,
    query: taskQuery,
    ...task,
  }),
  'vps.stop': route({
    method: 'POST',
    path: '/v1/vps/:name/stop',
    summary: 'Stop a VPS',
    params: named,
    query: taskQuery,
    body: StopRequestSchema,
    ...task,
  }),
  'vps.restart': route({
    method: 'POST',
    path: '/v1/vps/:name/restart',
    summary: 'Stop a VPS and start it',
    params: named,
    query: taskQuery,
    body: StopRequestSchema,
    ...task,
  }),
  'vps.pause': route({
    method: 'POST',
    path: '/v1/vps/:name/pause',
    summary: 'Freeze a VPS where it is',
    params: named,
    query: taskQuery,
    ...task,
  }),
  'vps.resume': route({
    method: 'POST',
    path: '/v1/vps/:name/resume',
    summary: 'Let a paused VPS go on',
    params: named,
    query: taskQuery,
    ...task,
  }),
  'vps.exec': route({
    method: 'GET',
    path: '/v1/vps/:name/exec',
    summary: 'Run a command in a VPS',
    params: named,
    query: inProject,
    response: z.void(),
    transfer: 'socket',
    status: 200,
  }),
  'vps.console': route({
    method: 'GET',
    path: '/v1/vps/:name/console',
    summary: 'The console of a VPS',
    params: named,
    query: inProject,
    response: z.void(),
    transfer: 'socket',
    status: 200,
  }),
  'vps.logs': route({
    method: 'GET',
    path: '/v1/vps/:name/logs',
    summary: 'What a VPS wrote to its console',
    params: named,
    query: z.strictObject({
      project,
      follow: flag,
      lines: z.coerce.number().int().min(1).max(100_000).optional(),
    }),
    response: z.string(),
    transfer: 'text',
    status: 200,
  }),
  'files.pull': route({
    method: 'GET',
    path: '/v1/vps/:name/files',
    summary: 'Read a file of a VPS',
    params: named,
    query: z.strictObject({ project, path: ABSOLUTE_PATH }),
    response: z.void(),
    transfer: 'bytes',
    status: 200,
  }),
  'files.push': route({
    method: 'PUT',
    path: '/v1/vps/:name/files',
    summary: 'Write a file of a VPS',
    params: named,
    query: z.strictObject({
      project,
      path: ABSOLUTE_PATH,
      mode: z
        .string()
        .regex(/^[0-7]{3,4}$/, 'must be octal, for example 644')
        .default('644'),
    }),
    body: 'bytes',
    response: z.void(),
    transfer: 'none',
    status: 204,
  }),
  'files.list': route({
    method: 'GET',
    path: '/v1/vps/:name/files/list',
    summary: 'List a folder of a VPS',
    params: named,
    query: z.strictObject({ project, path: ABSOLUTE_PATH }),
    response: list(FileEntrySchema),
    ...json,
  }),
  'forwards.list': route({
    method: 'GET',
    path: '/v1/vps/:name/forwards',
    summary: 'Host ports sent to a VPS',
    params: named,
    query: inProject,
    response: list(ForwardSchema),
    ...json,
  }),
  'forwards.add': route({
    method: 'POST',
    path: '/v1/vps/:name/forwards',
    summary: 'Send a host port to a VPS',
    params: named,
    query: inProject,
    body: ForwardSchema,
    response: ForwardSchema,
    transfer: 'json',
    status: 201,
  }),
  'forwards.remove': route({
    method: 'DELETE',
    path: '/v1/vps/:name/forwards/:protocol/:hostPort',
    summary: 'Stop sending a host port',
    params: z.strictObject({
      name: VpsNameSchema,
      protocol: z.enum(['tcp', 'udp']),
      hostPort: z.coerce.number().int().min(1).max(65_535),
    }),
    query: inProject,
    response: z.void(),
    transfer: 'none',
    status: 204,
  }),
  'images.list': route({
    method: 'GET',
    path: '/v1/images',
    summary: 'List images',
    query: inProject,
    response: list(ImageSchema),
    ...json,
  }),
  'images.build': route({
    method: 'POST',
    path: '/v1/images',
    summary: 'Build an image',
    query: taskQuery,
    body: BuildImageRequestSchema,
    ...task,
  }),
  'images.info': route({
    method: 'GET',
    path: '/v1/images/:name',
    summary: 'One image; the name is percent-encoded',
    params: z.strictObject({ name: ImageNameSchema }),
    query: inProject,
    response: ImageSchema,
    ...json,
  }),
  'images.delete': route({
    method: 'DELETE',
    path: '/v1/images/:name',
    summary: 'Delete an image that no VPS uses',
    params: z.strictObject({ name: ImageNameSchema }),
    query: taskQuery,
    ...task,
  }),
  'networks.list': route({
    method: 'GET',
    path: '/v1/networks',
    summary: 'List networks',
    query: inProject,
    response: list(NetworkSchema),
    ...json,
  }),
  'networks.create': route({
    method: 'POST',
    path: '/v1/networks',
    summary: 'Create a network',
    query: inProject,
    body: CreateNetworkRequestSchema,
    response: NetworkSchema,
    transfer: 'json',
    status: 201,
  }),
  'networks.info': route({
    method: 'GET',
    path: '/v1/networks/:name',
    summary: 'One network',
    params: z.strictObject({ name: NetworkNameSchema }),
    query: inProject,
    response: NetworkSchema,
    ...json,
  }),
  'networks.delete': route({
    method: 'DELETE',
    path: '/v1/networks/:name',
    summary: 'Delete a network that no VPS uses',
    params: z.strictObject({ name: NetworkNameSchema }),
    query: inProject,
    response: z.void(),
    transfer: 'none',
    status: 204,
  }),
  'projects.list': route({
    method: 'GET',
    path: '/v1/projects',
    summary: 'List projects',
    response: list(ProjectSchema),
    ...json,
  }),
  'projects.create': route({
    method: 'POST',
    path: '/v1/projects',
    summary: 'Create a project',
    body: CreateProjectRequestSchema,
    response: ProjectSchema,
    transfer: 'json',
    status: 201,
  }),
  'projects.info': route({
    method: 'GET',
    path: '/v1/projects/:name',
    summary: 'One project',
    params: z.strictObject({ name: ProjectNameSchema }),
    response: ProjectSchema,
    ...json,
  }),
  'projects.delete': route({
    method: 'DELETE',
    path: '/v1/projects/:name',
    summary: 'Delete an empty project',
    params: z.strictObject({ name: ProjectNameSchema }),
    response: z.void(),
    transfer: 'none',
    status: 204,
  }),
  'pools.list': route({
    method: 'GET',
    path: '/v1/pools',
    summary: 'List pools',
    response: list(PoolSchema),
    ...json,
  }),
  'pools.info': route({
    method: 'GET',
    path: '/v1/pools/:name',
    summary: 'One pool',
    params: z.strictObject({ name: z.string().max(63) }),
    response: PoolSchema,
    ...json,
  }),
  'pools.grow': route({
    method: 'POST',
    path: '/v1/pools/:name/grow',
    summary: 'Make a pool larger',
    params: z.strictObject({ name: z.string().max(63) }),
    query: z.strictObject({ wait }),
    body: GrowPoolRequestSchema,
    ...task,
  }),
  'techniques.list': route({
    method: 'GET',
    path: '/v1/techniques',
    summary: 'What this host can run, probed',
    query: z.strictObject({ refresh: flag }),
    response: list(TechniqueReportSchema),
    ...json,
  }),
  'doctor.run': route({
    method: 'GET',
    path: '/v1/doctor',
    summary: 'Check this host and this installation',
    response: list(CheckSchema),
    ...json,
  }),
  'tasks.list': route({
    method: 'GET',
    path: '/v1/tasks',
    summary: 'List recent tasks',
    query: inProject,
    response: list(TaskSchema),
    ...json,
  }),
  'tasks.info': route({
    method: 'GET',
    path: '/v1/tasks/:id',
    summary: 'One task',
    params: z.strictObject({ id: z.string().regex(/^[a-z0-9]{4,40}$/) }),
    query: z.strictObject({ wait }),
    response: TaskSchema,
    ...json,
  }),
  'tasks.cancel': route({
    method: 'DELETE',
    path: '/v1/tasks/:id',
    summary: 'Ask a task to end',
    params: z.strictObject({ id: z.string().regex(/^[a-z0-9]{4,40}$/) }),
    response: TaskSchema,
    ...json,
  }),
  'events.stream': route({
    method: 'GET',
    path: '/v1/events',
    summary: 'Events as they happen',
    query: z.strictObject({
      project: ProjectNameSchema.optional(),
      task: z.string().max(40).optional(),
      after: z.coerce
        .number()
        .int()
        .min(0)
        .optional()
        .describe('begin with the remembered events after the one of this id'),
    }),
    response: EventSchema,
    transfer: 'events',
    status: 200,
  }),
} as const satisfies Record<string, Route>;

export type Routes = typeof ROUTES;
export type RouteName = keyof Routes;
type Part<R, K extends string, F> =
  R extends Record<K, infer S>
    ? S extends z.ZodType
      ? F extends 'in'
        ? z.input<S>
        : z.output<S>
      : never
    : undefined;
/** What a handler of the route gets, validated and with defaults filled in. */
export type RouteParams<N extends RouteName> = Part<Routes[N], 'params', 'out'>;
export type RouteQuery<N extends RouteName> = Part<Routes[N], 'query', 'out'>;
export type RouteBody<N extends RouteName> = Part<Routes[N], 'body', 'out'>;
/** What a client may send: defaults may be left out. */
export type RouteParamsInput<N extends RouteName> = Part<Routes[N], 'params', 'in'>;
export type RouteQueryInput<N extends RouteName> = Part<Routes[N], 'query', 'in'>;
export type RouteBodyInput<N extends RouteName> = Part<Routes[N], 'body', 'in'>;
export type RouteResponse<N extends RouteName> = z.output<Routes[N]['response']>;
