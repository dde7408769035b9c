import type { IncomingMessage } from 'node:http';
import type { MullionError } from '../contract/errors.ts';
import type { Route, RouteName } from '../contract/routes.ts';
import { type Identity, requireAccess } from '../core/access.ts';
import type { Engine } from '../engine/contract.ts';
import type { Authenticate } from './authentication.ts';

/** What a request asks for, once it fits its route's schemas. */
export interface Asked {
  readonly name: RouteName;
  readonly route: Route;
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

/** A route that changes nothing and answers no secret. */
const isHarmless = (route: Route): boolean => route.method === 'GET' && route.secret !== true;

const textOf = (values: unknown, key: string): string | undefined => {
  if (typeof values !== 'object' || values === null) return undefined;
  const value: unknown = Reflect.get(values, key);
  return typeof value === 'string' ? value : undefined;
};

/** One request with whom it is from: what it may do, and what is written down of it. */
export class Session {
  readonly identity: Identity;
  readonly #request: IncomingMessage;
  readonly #authenticate: Authenticate;
  readonly #engine: Engine;

  /** @throws MullionError when it is from nobody who may ask */
  constructor(engine: Engine, authenticate: Authenticate, request: IncomingMessage) {
    this.#engine = engine;
    this.#authenticate = authenticate;
    this.#request = request;
    this.identity = authenticate(request);
  }

  /** The query with the project of the token filled in where the client names none. */
  withProject(route: Route, query: unknown): unknown {
    const { project } = this.identity;
    const takesOne = route.query !== undefined && 'project' in route.query.shape;
    if (project === null || !takesOne || typeof query !== 'object') return query;
    return { project, ...query };
  }

  /** @throws MullionError `forbidden` */
  async requireAccess({ route, params, query }: Asked): Promise<void> {
    const project = await this.#projectOf(route, params, query);
    requireAccess(this.identity, { harmless: isHarmless(route), access: route.access, project });
  }

  /** Writes down what changes something or answers a secret. `answer`: that of the route, for its task. */
  record(
    { name, route, params, query, body }: Asked,
    outcome: { answer: unknown } | { failure: MullionError },
  ): void {
    if (isHarmless(route)) return;
    const task = 'answer' in outcome && route.status === 202 ? textOf(outcome.answer, 'id') : undefined;
    this.#engine.audit.record({
      who: this.identity.who,
      from: this.identity.local ? 'socket' : (this.#request.socket.remoteAddress ?? ''),
      verb: name,
      project: textOf(query, 'project') ?? '',
      object:
        textOf(params, 'name') ??
        textOf(params, 'id') ??
        textOf(params, 'task') ??
        textOf(body, 'name') ??
        '',
      outcome: 'failure' in outcome ? outcome.failure.code : task === undefined ? 'done' : 'begun',
      ...(task === undefined ? {} : { task }),
    });
  }

  /** Ends the request's connection once its token has been deleted or has expired; until it is disposed of. */
  endWithToken(everyMs: number): Disposable {
    if (this.identity.local) return { [Symbol.dispose]: () => undefined };
    const timer = setInterval(() => {
      if (!this.#isStillValid()) this.#request.socket.destroy();
    }, everyMs);
    timer.unref();
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  #isStillValid(): boolean {
    try {
      this.#authenticate(this.#request);
      return true;
    } catch {
      return false;
    }
  }

  /** Of a task: its own. A task that is not there is nobody's, so that its route says so. */
  async #projectOf(route: Route, params: unknown, query: unknown): Promise<string | undefined> {
    const named = textOf(query, 'project');
    if (named !== undefined || route.access !== undefined || this.identity.project === null) return named;
    const task = textOf(params, 'task') ?? textOf(params, 'id');
    if (task === undefined) return undefined;
    return (await this.#engine.tasks.get(task)).project;
  }
}
