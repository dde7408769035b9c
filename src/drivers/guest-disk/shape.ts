import * as z from 'zod';
import { formatSize } from '../../contract/size-text.ts';
import { MIB } from '../../contract/sizes.ts';
import type { Machine } from '../driver.ts';
import { processors } from '../guest-agent/guest-limits.ts';
import { diskSize } from './disk.ts';

/** The machine that memory was saved of; sizes in bytes. */
export const ShapeSchema = z.strictObject({
  memory: z.number().int().positive(),
  cpus: z.number().int().positive(),
  disk: z.number().int().positive(),
  nics: z.number().int().nonnegative(),
});
export type Shape = Readonly<z.infer<typeof ShapeSchema>>;

/** How the machine is now. */
export const shapeOf = ({ limits, nics }: Pick<Machine, 'limits' | 'nics'>): Shape => ({
  memory: Math.floor(limits.memory / MIB) * MIB,
  cpus: processors(limits.cpus),
  disk: diskSize(limits.disk),
  nics: nics.length,
});

/** In what the machine is another now than the one that memory was saved of. */
export function differencesOfShape(then: Shape, now: Shape): string[] {
  return [
    ...(then.memory === now.memory
      ? []
      : [`it had ${formatSize(then.memory)} of memory then, and has ${formatSize(now.memory)} now`]),
    ...(then.cpus === now.cpus ? [] : [`it had ${then.cpus} processors then, and has ${now.cpus} now`]),
    ...(then.disk === now.disk
      ? []
      : [`its disk had ${formatSize(then.disk)} then, and has ${formatSize(now.disk)} now`]),
    ...(then.nics === now.nics ? [] : ['it had another number of links then']),
  ];
}
