import { ROUTES, type Route, type RouteName } from '../contract/routes.ts';

const ENTRIES = (Object.entries(ROUTES) as [RouteName, Route][]).map(([name, route]) => ({
  name,
  route,
  pattern: new RegExp(`^${route.path.replaceAll(/:[A-Za-z]+/g, '[^/]+')}$`),
}));

/** Every route of a path, whatever its method; `path` without its query. */
export const routesOfPath = (path: string): { readonly name: RouteName; readonly route: Route }[] =>
  ENTRIES.filter(({ pattern }) => pattern.test(path));

/**
 * The values of a route's parameters, percent-decoded; undefined when the path is another's or badly encoded.
 */
export function pathParameters(route: Route, path: string): Record<string, string> | undefined {
  const names = route.path.split('/');
  const values = path.split('/');
  if (names.length !== values.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, name] of names.entries()) {
    const value = values[index] ?? '';
    if (!name.startsWith(':')) {
      if (name !== value) return undefined;
      continue;
    }
    try {
      parameters[name.slice(1)] = decodeURIComponent(value);
    } catch {
      return undefined;
    }
  }
  return parameters;
}
