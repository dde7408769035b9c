import { PROPERTIES } from '../../src/contract/properties.ts';
import { page, renderMarkdownTable } from './markdown.ts';

/** What `mullion set` can change. */
export const renderPropertiesPage = (): string =>
  page(
    '# Properties of a VPS',
    'What `mullion set NAME KEY=VALUE` changes. A change takes effect at once where the technique has the feature named here, else at the next start; `mullion techniques --json` lists the features of each technique.',
    renderMarkdownTable(
      ['property', 'kind', 'default', 'meaning', 'changes while running'],
      Object.entries(PROPERTIES).map(([name, { kind, default: preset, summary, live }]) => [
        `\`${name}\``,
        kind,
        preset,
        summary,
        live === undefined ? 'no' : live === 'always' ? 'yes' : `with \`${live}\``,
      ]),
    ),
  );
