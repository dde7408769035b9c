import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openApiDocument } from '../src/api/openapi.ts';
import { VERSION } from '../src/version.ts';
import { renderCliPage } from './generate/cli.ts';
import { renderConfigPage } from './generate/config.ts';
import { renderEndpoints } from './generate/endpoints.ts';
import { renderErrorsPage } from './generate/errors.ts';
import { renderLifecyclePage } from './generate/lifecycle.ts';
import { renderPropertiesPage } from './generate/properties.ts';

const ROOT = join(import.meta.dirname, '..');

// Writes every file that is made from the code, or with --check fails when one of them is not current.
const files: Readonly<Record<string, string>> = {
  'src/client/endpoints.ts': renderEndpoints(),
  'docs/openapi.json': `${JSON.stringify(openApiDocument(VERSION), undefined, 2)}\n`,
  'docs/errors.md': renderErrorsPage(),
  'docs/config.md': renderConfigPage(),
  'docs/properties.md': renderPropertiesPage(),
  'docs/lifecycle.md': renderLifecyclePage(),
  'docs/cli.md': await renderCliPage(),
};

const check = process.argv.includes('--check');
const stale = Object.entries(files).filter(([path, text]) => {
  const file = join(ROOT, path);
  return !existsSync(file) || readFileSync(file, 'utf8') !== text;
});
for (const [path, text] of stale) {
  console.log(`${check ? 'not current' : 'written'}: ${path}`);
  if (check) continue;
  mkdirSync(dirname(join(ROOT, path)), { recursive: true });
  writeFileSync(join(ROOT, path), text);
}
if (check && stale.length > 0) {
  console.log('Run: npm run generate');
  process.exitCode = 1;
}
