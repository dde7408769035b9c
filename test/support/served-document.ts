import assert from 'node:assert/strict';
import * as z from 'zod';

const SchemaNode = z.record(z.string(), z.unknown());
type SchemaNode = z.infer<typeof SchemaNode>;
const Content = z.record(z.string(), z.strictObject({ schema: SchemaNode.optional() }));
const OperationSchema = z.strictObject({
  operationId: z.string(),
  summary: z.string(),
  tags: z.array(z.string()),
  parameters: z.array(
    z.strictObject({
      name: z.string(),
      in: z.enum(['path', 'query']),
      required: z.boolean(),
      schema: SchemaNode,
    }),
  ),
  requestBody: z.strictObject({ required: z.boolean(), content: Content }).optional(),
  responses: z.record(z.string(), z.strictObject({ description: z.string(), content: Content.optional() })),
});
const DocumentSchema = z.looseObject({
  openapi: z.string(),
  paths: z.record(z.string(), z.record(z.string(), OperationSchema)),
  components: z.looseObject({ schemas: z.record(z.string(), SchemaNode) }),
});

/** One operation of the served document, with its references resolved one level deep. */
export interface Operation {
  readonly name: string;
  readonly method: string;
  /** With its parameters as `{name}`. */
  readonly path: string;
  readonly pathKeys: readonly string[];
  readonly query: Readonly<Record<string, SchemaNode>>;
  readonly requiredQuery: readonly string[];
  /** The fields of a JSON body; `bytes`: a body of any kind. */
  readonly body: Readonly<Record<string, SchemaNode>> | 'bytes' | undefined;
  readonly requiredBody: readonly string[];
  readonly needsBody: boolean;
  readonly status: number;
  /** Media type of a good answer. */
  readonly answers: string | undefined;
}

/** The operations of an OpenAPI document as it was served. Throws for what it does not understand. */
export function operationsOf(text: string): Operation[] {
  const { paths, components } = DocumentSchema.parse(JSON.parse(text));
  const resolve = (node: SchemaNode): SchemaNode => {
    const reference = node.$ref;
    if (typeof reference !== 'string') return node;
    const name = reference.replace('#/components/schemas/', '');
    return components.schemas[name] ?? assert.fail(`nothing is at ${reference}`);
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Operation => {
      const query = operation.parameters.filter((parameter) => parameter.in === 'query');
      const [good] = Object.entries(operation.responses).filter(([status]) => status !== 'default');
      const content = operation.requestBody?.content;
      const json = content?.['application/json']?.schema;
      const body = json === undefined ? undefined : BodySchema.parse(resolve(json));
      return {
        name: operation.operationId,
        method: method.toUpperCase(),
        path,
        pathKeys: operation.parameters.flatMap((parameter) =>
          parameter.in === 'path' ? [parameter.name] : [],
        ),
        query: Object.fromEntries(query.map(({ name, schema }) => [name, resolve(schema)])),
        requiredQuery: query.filter(({ required }) => required).map(({ name }) => name),
        body:
          body === undefined
            ? content === undefined
              ? undefined
              : 'bytes'
            : resolveAll(body.properties, resolve),
        requiredBody: body?.required ?? [],
        needsBody: operation.requestBody?.required ?? false,
        status: Number(good?.[0]),
        answers: Object.keys(good?.[1].content ?? {})[0],
      };
    }),
  );
}

const BodySchema = z.looseObject({
  type: z.literal('object'),
  properties: z.record(z.string(), SchemaNode),
  required: z.array(z.string()).default([]),
});

const resolveAll = (
  nodes: Readonly<Record<string, SchemaNode>>,
  resolve: (node: SchemaNode) => SchemaNode,
): Record<string, SchemaNode> =>
  Object.fromEntries(Object.entries(nodes).map(([name, node]) => [name, resolve(node)]));
