import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MullionError } from '../contract/errors.ts';
import type { ImageSetup } from '../contract/image-recipe.ts';
import type { JailSpec, Jails } from '../host/jail/jails.ts';
import type { ImageProgress } from './image-store.ts';
import { lastLine } from './import/decompress.ts';
import { FILE_OWNER } from './import/unpack-tar.ts';

/** Of the jail's own ids alone: what root of the image needs to set it up. */
const ROOT_OF_IMAGE = [...FILE_OWNER, 'CAP_SYS_CHROOT', 'CAP_SETUID', 'CAP_SETGID', 'CAP_KILL'];
const COMMAND_MS = 1_800_000;

interface SetupStep {
  readonly what: string;
  readonly argv: readonly string[];
}

const inside = (...argv: readonly string[]): string[] => ['chroot', '/out', ...argv];

/** Commands, in their order; `/in/N` is the content of the file N. */
export function setupSteps({ users, files, commands }: ImageSetup): SetupStep[] {
  return [
    ...users.map(({ name, uid, groups, shell }) => ({
      what: `add the user ${name}`,
      argv: inside(
        ...['useradd', '--create-home', '--shell', shell],
        ...(uid === undefined ? [] : ['--uid', String(uid)]),
        ...(groups.length === 0 ? [] : ['--groups', groups.join(',')]),
        name,
      ),
    })),
    ...users.flatMap(({ name, sshKeys }) => (sshKeys.length === 0 ? [] : keySteps(name, sshKeys))),
    ...files.flatMap(({ path, mode, owner }, index) => [
      { what: `write ${path}`, argv: ['install', '-D', '--mode', mode, `/in/${index}`, `/out${path}`] },
      { what: `give ${path} its owner`, argv: inside('chown', '--no-dereference', owner, path) },
    ]),
    ...commands.map((command, index) => ({
      what: `run command ${index + 1} of ${commands.length}`,
      argv: inside('sh', '-ec', command),
    })),
  ];
}

function keySteps(name: string, keys: readonly string[]): SetupStep[] {
  const script =
    'umask 077; mkdir -p "$HOME/.ssh"; for key; do printf "%s\\n" "$key"; done >> "$HOME/.ssh/authorized_keys"';
  const argv = inside(
    'runuser',
    '-u',
    name,
    '--',
    'sh',
    '-ec',
    `HOME=$(getent passwd "$0" | cut -d: -f6); ${script}`,
  );
  return [{ what: `give ${name} its keys`, argv: [...argv, name, ...keys] }];
}

/** Sets a root file system up, in a jail without a network. @throws MullionError `build_failed` that names the step */
export async function applySetup(
  jails: Jails,
  root: string,
  place: string,
  setup: ImageSetup,
  onProgress: (progress: ImageProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  await mkdir(place, { mode: 0o700 });
  for (const [index, { content }] of setup.files.entries()) {
    await writeFile(join(place, String(index)), Buffer.from(content, 'base64'), { mode: 0o600 });
  }
  const shared: Omit<JailSpec, 'argv'> = {
    mounts: [
      { source: place, target: '/in', access: 'read' },
      { source: root, target: '/out', access: 'write', runs: true },
    ],
    system: '/out',
    capabilities: ROOT_OF_IMAGE,
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      DEBIAN_FRONTEND: 'noninteractive',
    },
    timeoutMs: COMMAND_MS,
  };
  for (const { what, argv } of setupSteps(setup)) {
    onProgress({ step: 'set up', message: what });
    const { code, stdout, stderr } = await jails.run({ ...shared, argv }, signal);
    if (code === 0) continue;
    const output = `${stdout}\n${stderr}`.split('\n').slice(-40).join('\n');
    throw new MullionError(
      'build_failed',
      `The image could not be built: to ${what} failed: ${lastLine(output)}`,
      {
        remedy: 'Correct the recipe and build again; commands run without a network',
        details: { step: what, exitCode: code, stderr: output },
      },
    );
  }
  await rm(place, { recursive: true, force: true });
}
