import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { MullionError } from '../contract/error-table.ts';
import { type RecipeFile, RecipeFileSchema } from '../contract/image-recipe.ts';
import type { BuildImageRequest } from '../contract/resources.ts';
import { fileError, readTextFile } from './files.ts';

/** The request that a recipe file asks for; files that it names lie beside it. @throws MullionError `invalid_request` */
export function readRecipe(path: string, name: string | undefined): BuildImageRequest {
  const recipe = parseRecipe(readTextFile(path), path);
  const called = name ?? recipe.name;
  if (called === undefined) {
    throw new MullionError('invalid_request', `The recipe ${path} names no image.`, {
      remedy: `Name it: mullion image build -f ${path} NAME`,
    });
  }
  const { suite, packages, users, commands } = recipe;
  const files = recipe.files.map((file) => ({
    path: file.path,
    content: contentOf(file, path).toString('base64'),
    mode: modeOf(file.mode),
    owner: file.owner ?? 'root:root',
  }));
  return { name: called, suite, include: packages, setup: { users, files, commands } };
}

/** YAML 1.2 of the schema; aliases are kept few, as they multiply. */
export function parseRecipe(text: string, path: string): RecipeFile {
  let document: unknown;
  try {
    document = parse(text, { maxAliasCount: 20, prettyErrors: true });
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    throw new MullionError('invalid_request', `The recipe ${path} is no YAML: ${reason}`, { cause });
  }
  const result = RecipeFileSchema.safeParse(document);
  if (result.success) return result.data;
  const issues = result.error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.map(String).join('.')}: ${issue.message}`);
  throw new MullionError('invalid_request', `The recipe ${path} does not fit: ${issues.join('; ')}`, {
    remedy: 'See docs/how-to/images.md for what a recipe may hold',
  });
}

/** YAML reads 0644 as six hundred and forty-four: what people mean are its digits. */
const modeOf = (mode: string | number | undefined): string =>
  mode === undefined ? '644' : typeof mode === 'number' ? String(mode).padStart(3, '0') : mode;

function contentOf({ content, source = '' }: RecipeFile['files'][number], recipe: string): Buffer {
  if (content !== undefined) return Buffer.from(content);
  const path = resolve(dirname(recipe), source);
  try {
    return readFileSync(path);
  } catch (cause) {
    throw fileError(path, 'read', cause);
  }
}
