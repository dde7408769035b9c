import { PORT_COUNT } from '../../../src/drivers/qemu/guest-ports.ts';
import { API_PORT, HOST_ADDRESS } from './base-files.ts';
import type { NestedKind } from './kinds.ts';

export interface HostFiles {
  /** qcow2 or raw, each written by this host alone. */
  readonly root: string;
  /** Mullion's cache, in which the image debian/12 lies. */
  readonly cache: string;
  /** The archive to install from; read only. */
  readonly bundle: string;
  readonly vmlinuz: string;
  readonly initramfs: string;
  readonly hypervisor: string | undefined;
  readonly memory: string;
  /** Holds the sockets. */
  readonly folder: string;
}

export interface BootOptions {
  readonly kind: NestedKind;
  readonly files: HostFiles;
  /** Port on the loopback that leads to the host's API. */
  readonly apiPort: number;
  /** `template` keeps what the guest writes in the file of its memory; `clone` starts from such a file and leaves it. */
  readonly memory: 'template' | 'clone';
}

export const SOCKETS = { monitor: 'qmp', agent: 'agent' } as const;
export const CONSOLE_LOG = 'console.log';
/** Memory for translated code, MiB: a nested host runs a whole system and its guests. */
const TRANSLATION_MIB = 512;

/**
 * The devices of a template and of its clones are the same. Its network leads nowhere but from one port of the loopback
 * to its API.
 */
export function renderNestedHost({ kind, files, apiPort, memory }: BootOptions): string[] {
  const socket = (id: string, name: string): string[] => [
    '-chardev',
    `socket,id=${id},path=${files.folder}/${name},server=on,wait=off`,
  ];
  const disk = (id: string, path: string, format: string, more = ''): string[] => [
    ...['-drive', `if=none,id=${id},file=${path},format=${format},cache=unsafe${more}`],
    ...['-device', `virtio-blk-pci,drive=${id},serial=${id}`],
  ];
  return [
    'qemu-system-x86_64',
    ...['-name', `nested-${kind.name}`, '-nodefaults', '-no-user-config', '-display', 'none'],
    ...['-machine', 'q35,memory-backend=memory,sata=off,smbus=off,vmport=off'],
    ...['-accel', `tcg,thread=multi,tb-size=${TRANSLATION_MIB}`],
    ...['-cpu', kind.cpu, '-smp', `${kind.cpus}`, '-m', `${kind.memoryMib}M`],
    '-object',
    `memory-backend-file,id=memory,size=${kind.memoryMib}M,mem-path=${files.memory},share=${memory === 'template' ? 'on' : 'off'}`,
    ...socket('monitor', SOCKETS.monitor),
    ...['-mon', 'chardev=monitor,mode=control'],
    ...['-chardev', `file,id=console,path=${files.folder}/${CONSOLE_LOG}`, '-serial', 'chardev:console'],
    ...['-device', `virtio-serial-pci,id=serial0,max_ports=${PORT_COUNT}`],
    ...socket('agent', SOCKETS.agent),
    ...['-device', 'virtserialport,bus=serial0.0,nr=1,chardev=agent,name=org.qemu.guest_agent.0'],
    ...disk('root', files.root, 'qcow2'),
    ...disk('cache', files.cache, 'qcow2'),
    ...disk('bundle', files.bundle, 'raw', ',readonly=on'),
    ...['-object', 'rng-random,id=rng,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng'],
    '-netdev',
    `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${apiPort}-${HOST_ADDRESS}:${API_PORT}`,
    ...['-device', 'virtio-net-pci,netdev=net,mac=52:54:00:6e:65:73,romfile='],
    ...(files.hypervisor === undefined
      ? ['-kernel', files.vmlinuz, '-initrd', files.initramfs, '-append', kind.kernel]
      : [
          ...['-kernel', files.hypervisor, '-append', kind.hypervisor ?? ''],
          ...['-initrd', `${files.vmlinuz} ${kind.kernel.replaceAll(',', ',,')},${files.initramfs}`],
        ]),
    ...(memory === 'clone' ? ['-incoming', 'defer'] : []),
  ];
}
