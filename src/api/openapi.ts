import * as z from 'zod';
import { ErrorResponseSchema } from '../contract/errors.ts';
import { ROUTES, type Route } from '../contract/routes.ts';

type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };
type JsonObject = { [key: string]: JsonValue };

const MEDIA: Readonly<Record<Route['transfer'], string | undefined>> = {
  json: 'application/json',
  text: 'text/plain',
  bytes: 'application/octet-stream',
  events: 'text/event-stream',
  socket: undefined,
  none: undefined,
};

/** The API as an OpenAPI 3.1 document (spec.openapis.org/oas/v3.1.0), made from the route table alone. */
export function openApiDocument(version: string): JsonObject {
  const schemas: JsonObject = {};
  const paths: { [path: string]: JsonObject } = {};
  for (const [name, route] of Object.entries<Route>(ROUTES)) {
    const path = route.path.replaceAll(/:([A-Za-z]+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(name, route, schemas) };
  }
  schemas.Error = schemaOf(ErrorResponseSchema, 'output', schemas);
  return {
    openapi: '3.1.0',
    info: { title: 'Mullion', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas,
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    },
    security: [{}, { bearer: [] }],
  };
}

function operation(name: string, route: Route, schemas: JsonObject): JsonObject {
  const media = MEDIA[route.transfer];
  const success: JsonObject = {
    description: route.transfer === 'socket' ? 'Upgraded to a WebSocket' : route.summary,
    ...(media === undefined
      ? {}
      : {
          content: {
            [media]:
              route.transfer === 'bytes' ? {} : { schema: schemaOf(route.response, 'output', schemas) },
          },
        }),
  };
  return {
    operationId: name,
    summary: route.summary,
    tags: [name.split('.')[0] ?? name],
    parameters: [...parameters('path', route.params, schemas), ...parameters('query', route.query, schemas)],
    ...(route.body === undefined ? {} : { requestBody: requestBody(route.body, schemas) }),
    responses: {
      [route.transfer === 'socket' ? 101 : route.status]: success,
      default: {
        description: 'The request was refused or failed',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

function requestBody(body: z.ZodType | 'bytes', schemas: JsonObject): JsonObject {
  if (body === 'bytes') return { required: true, content: { 'application/octet-stream': {} } };
  // Without a body, the server reads an empty object.
  const required = !body.safeParse({}).success;
  return { required, content: { 'application/json': { schema: schemaOf(body, 'input', schemas) } } };
}

function parameters(
  place: 'path' | 'query',
  schema: z.ZodObject | undefined,
  schemas: JsonObject,
): JsonObject[] {
  if (schema === undefined) return [];
  return Object.entries(schema.shape).map(([name, field]) => ({
    name,
    in: place,
    required: place === 'path' || !z.safeParse(field as z.ZodType, undefined).success,
    schema: schemaOf(field as z.ZodType, 'input', schemas),
  }));
}

/** JSON Schema 2020-12 of a value; named schemas move to `schemas` and are referred to. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', schemas: JsonObject): JsonObject {
  const json = z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' });
  const {
    $schema: _,
    $defs,
    ...rest
  } = JSON.parse(JSON.stringify(json).replaceAll('"#/$defs/', '"#/components/schemas/')) as JsonObject;
  if (typeof $defs === 'object' && $defs !== null && !Array.isArray($defs)) Object.assign(schemas, $defs);
  return rest;
}
