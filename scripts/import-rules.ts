import { posix } from 'node:path';

/** What the source files at or below `path` may import. The longest path that fits a file is its rule. */
export interface RoomRule {
  readonly path: string;
  /** Source files or folders, relative to the repository. A file's own rule folder is always allowed. */
  readonly may: readonly string[];
  /** npm packages. */
  readonly packages: readonly string[];
  /** Built-in modules of Node; `any` for all but those of `DOOR_BUILTINS`. */
  readonly builtins: 'any' | readonly string[];
}

const SEAMS = [
  'src/drivers/driver.ts',
  'src/storage/volume.ts',
  'src/network/network.ts',
  'src/store/store.ts',
  'src/images/image-store.ts',
  'src/images/converter.ts',
  'src/backup/backup.ts',
] as const;
const BASE = ['src/contract', 'src/core', 'src/host'] as const;

/** DESIGN: the rooms and what each may import. `daemon.ts`, the composition root, alone imports everything. */
export const ROOM_RULES: readonly RoomRule[] = [
  { path: 'src/contract', may: [], packages: ['zod'], builtins: [] },
  { path: 'src/core', may: ['src/contract'], packages: ['zod'], builtins: ['node:crypto', 'node:net'] },
  { path: 'src/host', may: ['src/contract', 'src/core'], packages: ['koffi', 'zod'], builtins: 'any' },
  { path: 'src/drivers', may: [...BASE], packages: ['zod'], builtins: 'any' },
  { path: 'src/storage', may: [...BASE], packages: ['zod'], builtins: 'any' },
  {
    path: 'src/images',
    may: [...BASE, 'src/storage/volume.ts', 'src/drivers/driver.ts'],
    packages: ['zod'],
    builtins: 'any',
  },
  { path: 'src/network', may: [...BASE, 'src/drivers/driver.ts'], packages: ['zod'], builtins: 'any' },
  { path: 'src/backup', may: [...BASE], packages: ['zod'], builtins: 'any' },
  { path: 'src/store', may: ['src/contract'], packages: ['zod'], builtins: 'any' },
  { path: 'src/engine', may: ['src/contract', 'src/core', ...SEAMS], packages: ['zod'], builtins: 'any' },
  {
    path: 'src/api',
    may: ['src/contract', 'src/core', 'src/engine'],
    packages: ['fastify', 'ws', 'zod'],
    builtins: 'any',
  },
  { path: 'src/client', may: ['src/contract'], packages: ['ws', 'zod'], builtins: 'any' },
  { path: 'src/cli', may: ['src/contract', 'src/client'], packages: ['yaml', 'zod'], builtins: 'any' },
  // Setting a machine up comes before there is a daemon to ask: this part of the CLI works on the host itself.
  {
    path: 'src/cli/quickstart',
    may: ['src/contract', 'src/client', 'src/cli', 'src/host', 'src/core', 'src/config.ts', 'src/version.ts'],
    packages: ['zod'],
    builtins: 'any',
  },
  {
    path: 'src/doctor',
    may: [...BASE, 'src/storage/volume.ts', 'src/store/store.ts'],
    packages: ['zod'],
    builtins: 'any',
  },
  { path: 'src/version.ts', may: [], packages: ['zod'], builtins: ['node:fs', 'node:path'] },
  // The daemon's own process is started, ended and run from here.
  {
    path: 'src/cli/daemon',
    may: ['src/contract', 'src/client', 'src/cli', 'src/host', 'src/core', 'src/config.ts', 'src/daemon.ts'],
    packages: [],
    builtins: 'any',
  },
  { path: 'src/config.ts', may: ['src/contract'], packages: ['zod'], builtins: ['node:fs', 'node:os'] },
  { path: 'src/daemon.ts', may: ['src'], packages: ['zod'], builtins: 'any' },
];

/** Not drivers, but what several of them speak or read. */
const SHARED_BY_DRIVERS = [
  'src/drivers/archive',
  'src/drivers/console',
  'src/drivers/guest-agent',
  'src/drivers/guest-disk',
  'src/drivers/jail',
  'src/drivers/monitored-console',
  'src/drivers/provision',
  'src/drivers/system-calls',
  'src/drivers/verdicts',
] as const;
/** Drivers, backends: siblings below these folders never import each other. */
const BACKEND_PARENTS = ['src/drivers', 'src/storage', 'src/store', 'src/backup'] as const;
/** Only src/host opens this door to the machine. */
const DOOR_BUILTINS: ReadonlySet<string> = new Set([
  'node:child_process',
  'node:cluster',
  'node:worker_threads',
]);
const FORBIDDEN_FOLDERS: ReadonlySet<string> = new Set([
  'lib',
  'utils',
  'util',
  'common',
  'helpers',
  'misc',
  'shared',
]);
const TECHNIQUE_NAMES = 'os|full|hardware|kernel|para|crun|qemu|uml|xen|fake';

export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

/** All that a source file does against the rules. Tests may import any file, but obey the rest. */
export function findings(path: string, source: string): Finding[] {
  const code = withoutComments(source);
  return [
    ...folderFindings(path),
    ...(isTest(path) ? [] : importFindings(path, code)),
    ...(isTest(path) || inside(path, 'src/host') ? [] : doorFindings(path, code)),
    ...conditionFindings(path, code),
  ];
}

const isTest = (path: string): boolean => /\.test\.ts$/.test(path);
const inside = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

export function ruleOf(path: string): RoomRule | undefined {
  return ROOM_RULES.filter((rule) => inside(path, rule.path)).sort(
    (a, b) => b.path.length - a.path.length,
  )[0];
}

/** Where each import of a file points: `./x.ts` made relative to the repository. */
export function importsOf(path: string, code: string): { readonly line: number; readonly target: string }[] {
  const found: { line: number; target: string }[] = [];
  const pattern = /(?:\bfrom\s*|\bimport\s*\(\s*|^\s*import\s+)(['"])([^'"\n]+)\1/gm;
  for (const match of code.matchAll(pattern)) {
    const specifier = match[2] ?? '';
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier;
    found.push({ line: lineOf(code, match.index), target });
  }
  return found;
}

function importFindings(path: string, code: string): Finding[] {
  const rule = ruleOf(path);
  if (rule === undefined) {
    return [
      { path, line: 1, message: 'belongs to no room: add it to ROOM_RULES in scripts/import-rules.ts' },
    ];
  }
  return importsOf(path, code).flatMap(({ line, target }) => {
    const why = objection(path, rule, target);
    return why === undefined ? [] : [{ path, line, message: why }];
  });
}

function objection(path: string, rule: RoomRule, target: string): string | undefined {
  if (target.startsWith('node:')) {
    if (DOOR_BUILTINS.has(target)) {
      return inside(path, 'src/host') ? undefined : `only src/host may import ${target}`;
    }
    if (rule.builtins === 'any' || rule.builtins.includes(target)) return undefined;
    return `${rule.path} may not import ${target}`;
  }
  if (!target.startsWith('src/')) {
    const name = target.startsWith('@') ? target.split('/').slice(0, 2).join('/') : target.split('/')[0];
    return rule.packages.includes(name ?? '') ? undefined : `${rule.path} may not import the package ${name}`;
  }
  const shared = SHARED_BY_DRIVERS.some((folder) => inside(target, folder));
  if (rule.path !== 'src/daemon.ts' && !shared) {
    for (const parent of BACKEND_PARENTS) {
      const from = backendOf(path, parent);
      const to = backendOf(target, parent);
      if (to === undefined || from === to) continue;
      if (from !== undefined) return `${parent}/${from} may not import its sibling ${parent}/${to}`;
      if (path !== `${parent}/registry.ts`)
        return `only ${parent}/registry.ts and daemon.ts import ${parent}/${to}`;
    }
  }
  if ([rule.path, ...rule.may].some((allowed) => inside(target, allowed))) return undefined;
  return `${rule.path} may not import ${target}`;
}

/** The backend's folder: `qemu` for src/drivers/qemu/handle.ts below src/drivers. */
function backendOf(path: string, parent: string): string | undefined {
  if (!inside(path, parent)) return undefined;
  const [first, second] = path.slice(parent.length + 1).split('/');
  return second === undefined ? undefined : first;
}

function doorFindings(path: string, code: string): Finding[] {
  const pattern =
    /\b(?:read\w*|write\w*|append\w*|open\w*|stat\w*|lstat\w*|access\w*|exists\w*|watch\w*|createReadStream|createWriteStream)\(\s*[`'"]\/(?:proc|sys)\b/g;
  return [...code.matchAll(pattern)].map((match) => ({
    path,
    line: lineOf(code, match.index),
    message: 'only src/host may touch /proc and /sys: call a function of src/host',
  }));
}

function conditionFindings(path: string, code: string): Finding[] {
  const exempt = ['src/drivers', 'src/contract'].some((folder) => inside(path, folder)) || isTest(path);
  if (exempt) return [];
  const name = `['"](?:${TECHNIQUE_NAMES})['"]`;
  const patterns = [
    new RegExp(`\\b\\w*(?:technique|driver)\\w*(?:\\.(?:id|name))?\\s*[!=]==?\\s*${name}`, 'gi'),
    new RegExp(`${name}\\s*[!=]==?\\s*[\\w.]*(?:technique|driver)`, 'gi'),
    /\bswitch\s*\([^)]*(?:technique|driver)[^)]*\)/gi,
  ];
  return patterns.flatMap((pattern) =>
    [...code.matchAll(pattern)].map((match) => ({
      path,
      line: lineOf(code, match.index),
      message: 'no conditional on the name of a technique or driver: read its features',
    })),
  );
}

function folderFindings(path: string): Finding[] {
  return path
    .split('/')
    .slice(0, -1)
    .flatMap((part) => {
      if (FORBIDDEN_FOLDERS.has(part))
        return [{ path, line: 1, message: `a folder may not be named ${part}` }];
      if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(part)) {
        return [{ path, line: 1, message: `the folder ${part} is not in kebab-case` }];
      }
      return [];
    });
}

/** Comments blanked, line numbers kept; strings stay, so that what looks like a comment inside one is left alone. */
export function withoutComments(source: string): string {
  const token = /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  return source.replace(token, (text) =>
    text.startsWith('/*') || text.startsWith('//') ? text.replace(/[^\n]/g, ' ') : text,
  );
}

const lineOf = (code: string, index: number): number => {
  const lead = /^\s*/.exec(code.slice(index))?.[0] ?? '';
  return code.slice(0, index + lead.length).split('\n').length;
};
