import * as z from 'zod';
import { ConfigSchema, VARIABLES } from '../../src/config.ts';
import { CONFIG_FILE } from '../../src/contract/locations.ts';
import { formatSize } from '../../src/contract/size-text.ts';
import { page, renderMarkdownTable } from './markdown.ts';

/** JSON Schema, as far as this page reads it. */
const NodeSchema = z.object({
  type: z.string().optional(),
  description: z.string().optional(),
  default: z.unknown().optional(),
  enum: z.array(z.unknown()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
});

/** Every field of the configuration, from its schema. */
export const renderConfigPage = (): string =>
  page(
    '# Configuration',
    `The daemon reads \`${CONFIG_FILE}\`, or the file that \`MULLION_CONFIG\` names: one JSON object. Variables of the environment override it. Sizes are written like \`20G\`; unknown fields are refused.`,
    renderMarkdownTable(['field', 'default', 'variable', 'meaning'], rows('', describe(ConfigSchema))),
    'The command line finds the daemon by `MULLION_RUN_DIR` or this file; for one on another machine it takes `MULLION_URL` (`https://host:port`), `MULLION_TOKEN_FILE` and `MULLION_CA_FILE`.',
  );

const describe = (schema: z.ZodType): unknown =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });

function rows(prefix: string, schema: unknown): string[][] {
  const { properties = {}, required = [] } = NodeSchema.parse(schema);
  return Object.entries(properties).flatMap(([name, field]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const node = NodeSchema.parse(field);
    const choices = node.enum === undefined ? '' : `one of ${node.enum.map(String).join(', ')}`;
    const meaning = [node.description, choices]
      .filter((text) => text !== undefined && text !== '')
      .join('; ');
    const nested = node.properties !== undefined;
    const preset = required.includes(name)
      ? 'must be given'
      : showDefault(node.default ?? inUse(path), nested);
    return [[`\`${path}\``, preset, variableOf(path), meaning], ...(nested ? rows(path, field) : [])];
  });
}

/** What an empty file means; a size, which the schema turns into bytes, is written as people write it. */
function inUse(path: string): unknown {
  let value: unknown = ConfigSchema.parse({});
  for (const key of path.split('.')) value = z.record(z.string(), z.unknown()).safeParse(value).data?.[key];
  return typeof value === 'number' ? formatSize(value) : value;
}

const showDefault = (value: unknown, nested: boolean): string =>
  value === undefined || nested ? '' : `\`${JSON.stringify(value)}\``;

function variableOf(path: string): string {
  const found = Object.entries(VARIABLES).find(([, field]) => field.join('.') === path);
  return found === undefined ? '' : `\`${found[0]}\``;
}
