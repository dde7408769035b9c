type Values = Readonly<Record<string, unknown>>;

/** Fills a route's `:name` parts and appends its query, percent-encoded; absent values are left out. */
export function endpointPath(template: string, params: Values = {}, query: Values = {}): string {
  const path = template.replace(/:([A-Za-z]+)/g, (_, key: string) => encodeURIComponent(String(params[key])));
  const pairs = Object.entries(query)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(String(value))}`);
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`;
}
