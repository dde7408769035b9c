import type { ImageRecord } from '../image-store.ts';

/** Arguments of umoci-config(1): how the image starts elsewhere. */
export function renderOciConfig({ name, architecture, createdAt, program }: ImageRecord): string[] {
  const common = [
    ...['--os', 'linux', '--architecture', architecture, '--created', createdAt],
    ...['--config.label', `org.opencontainers.image.title=${name}`],
  ];
  if (program === null) return [...common, '--config.entrypoint', '/sbin/init'];
  return [
    ...common,
    ...program.argv.flatMap((word) => ['--config.entrypoint', word]),
    ...Object.entries(program.env).flatMap(([key, value]) => ['--config.env', `${key}=${value}`]),
    ...['--config.workingdir', program.cwd, '--config.user', `${program.uid}:${program.gid}`],
    ...['--config.stopsignal', String(program.stopSignal)],
  ];
}
