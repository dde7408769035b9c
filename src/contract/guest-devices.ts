/** bios: as PCs booted since 1981; uefi: the Unified Extensible Firmware Interface. */
export const FIRMWARES = ['bios', 'uefi'] as const;
export type Firmware = (typeof FIRMWARES)[number];

/** sata: an AHCI disk and an Intel network card, which every system knows; virtio: faster, for systems that know it. */
export const BUSES = ['sata', 'virtio'] as const;
export type Bus = (typeof BUSES)[number];
