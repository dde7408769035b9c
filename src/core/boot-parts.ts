import type { ImagePart } from '../contract/resources.ts';

/** What a driver says of the parts that it boots from. */
export interface Booting<T> {
  needs(technique: T): readonly ImagePart[];
  foreign?(technique: T): readonly ImagePart[];
}

export interface BootParts {
  /** All of these, so that the technique boots the guest itself. */
  readonly needs: readonly ImagePart[];
  /** Or any of these, by which the guest boots itself. */
  readonly foreign: readonly ImagePart[];
}

export const bootsItself = ({ needs, foreign }: BootParts, parts: readonly ImagePart[]): boolean =>
  !needs.every((part) => parts.includes(part)) && foreign.some((part) => parts.includes(part));

export const canBoot = (boot: BootParts, parts: readonly ImagePart[]): boolean =>
  boot.needs.every((part) => parts.includes(part)) || bootsItself(boot, parts);

export const bootPartsOf = <T>(driver: Booting<T>, technique: T): BootParts => ({
  needs: driver.needs(technique),
  foreign: driver.foreign?.(technique) ?? [],
});

/** The parts that are to be there before a VPS is filled from an image with these. */
export function partsToBoot<T>(
  driver: Booting<T>,
  technique: T,
  parts: readonly ImagePart[],
): readonly ImagePart[] {
  const boot = bootPartsOf(driver, technique);
  return bootsItself(boot, parts) ? boot.foreign.filter((part) => parts.includes(part)) : boot.needs;
}
