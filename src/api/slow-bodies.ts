import type { FastifyInstance } from 'fastify';
import type { ApiLimits } from './limits.ts';

/**
 * Ends connections whose request does not go on arriving. `isFile`: a body of any length, which may pause while the
 * guest takes what came; other bodies are small and must be whole in time.
 */
export function endSlowBodies(
  app: FastifyInstance,
  isFile: (method: string, url: string | undefined) => boolean,
  { bodyMs, idleMs }: ApiLimits,
): void {
  app.addHook('onRequest', async ({ raw, method, routeOptions }) => {
    if (raw.complete) return;
    const end = (): void => {
      raw.destroy();
    };
    if (isFile(method, routeOptions.url)) {
      raw.setTimeout(idleMs, end);
      return;
    }
    const timer = setTimeout(end, bodyMs);
    timer.unref();
    const done = (): void => clearTimeout(timer);
    raw.once('end', done);
    raw.once('close', done);
  });
}
