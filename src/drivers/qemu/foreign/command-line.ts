import type { Bus, Firmware } from '../../../contract/vps.ts';
import type { Machine } from '../../driver.ts';
import { JAIL, SOCKET } from '../paths.ts';
import { HOLD_WITHOUT_ROOM } from '../run-state.ts';

/** How a guest with a loader of its own is booted. */
export interface ForeignBoot {
  readonly firmware: Firmware;
  /** Path of the firmware's code in flash; UEFI only. */
  readonly uefiCode?: string | undefined;
}

const json = (value: unknown): string => JSON.stringify(value);

/** What a machine has that boots by itself: firmware, its disk first and then its ISO, a screen with keyboard and pointer. */
export function foreignMachine({ uefiCode }: ForeignBoot): string {
  return `q35,smbus=off,vmport=off${uefiCode === undefined ? '' : ',pflash0=uefi-code,pflash1=uefi-variables'}`;
}

export function foreignDevices(machine: Machine, { uefiCode }: ForeignBoot): string[] {
  return [
    ...(uefiCode === undefined
      ? []
      : [
          ...['-blockdev', json(file('uefi-code', uefiCode, true))],
          ...['-blockdev', json(file('uefi-variables', JAIL.uefiVariables, false))],
        ]),
    ...['-device', json({ ...DISK[busOf(machine)], drive: 'disk', bootindex: 0, ...HOLD_WITHOUT_ROOM })],
    ...(machine.image.iso === undefined
      ? []
      : [
          ...['-blockdev', json(file('iso', JAIL.iso, true))],
          ...['-device', json({ driver: 'ide-cd', bus: 'ide.1', drive: 'iso', bootindex: 1 })],
        ]),
    ...['-device', json({ driver: 'VGA', vgamem_mb: 16 })],
    ...['-vnc', `unix:${JAIL.sockets}/${SOCKET.display},share=force-shared`],
    // A tablet's pointer is where the viewer's is; the keyboard is the machine's own.
    ...['-device', 'qemu-xhci,id=usb', '-device', 'usb-tablet,bus=usb.0'],
  ];
}

const busOf = ({ bus }: Machine): Bus => bus ?? 'sata';
const DISK: Readonly<Record<Bus, object>> = {
  sata: { driver: 'ide-hd', bus: 'ide.0' },
  virtio: { driver: 'virtio-blk-pci' },
};
const NETWORK: Readonly<Record<Bus, string>> = { sata: 'e1000e', virtio: 'virtio-net-pci' };
export const foreignNetwork = (machine: Machine): string => NETWORK[busOf(machine)];

const file = (name: string, filename: string, readOnly: boolean): unknown => ({
  driver: 'raw',
  'node-name': name,
  'read-only': readOnly,
  file: { driver: 'file', filename, 'read-only': readOnly },
});
