import type * as z from 'zod';
import { auditRoutes } from './routes/audit.ts';
import { backupsRoutes } from './routes/backups.ts';
import { eventsRoutes } from './routes/events.ts';
import { filesRoutes } from './routes/files.ts';
import { firewallRoutes } from './routes/firewall.ts';
import { forwardsRoutes } from './routes/forwards.ts';
import { hostRoutes } from './routes/host.ts';
import { imagesRoutes } from './routes/images.ts';
import { networksRoutes } from './routes/networks.ts';
import { poolsRoutes } from './routes/pools.ts';
import { projectsRoutes } from './routes/projects.ts';
import type { Route } from './routes/route.ts';
import { snapshotsRoutes } from './routes/snapshots.ts';
import { tasksRoutes } from './routes/tasks.ts';
import { tokensRoutes } from './routes/tokens.ts';
import { vpsRoutes } from './routes/vps.ts';

export type { Route, Transfer } from './routes/route.ts';

/** Every route of the API, once: the server, the client, OpenAPI and the fuzzer read it. One file a noun. */
export const ROUTES = {
  ...hostRoutes,
  ...vpsRoutes,
  ...filesRoutes,
  ...forwardsRoutes,
  ...snapshotsRoutes,
  ...imagesRoutes,
  ...networksRoutes,
  ...firewallRoutes,
  ...projectsRoutes,
  ...poolsRoutes,
  ...backupsRoutes,
  ...tasksRoutes,
  ...eventsRoutes,
  ...tokensRoutes,
  ...auditRoutes,
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
