import type { GuestType } from './render.ts';

/** PVH needs the processor's virtualization and a way to give the guest page tables (xl info, virt_caps). */
export const guestType = (virtCaps: readonly string[]): GuestType =>
  virtCaps.includes('hvm') && virtCaps.includes('hap') ? 'pvh' : 'pv';
