import type { PoolUsage } from '../contract/resources.ts';
import type { Measure } from '../storage/volume.ts';
import type { Context } from './context.ts';

type Whose = Pick<PoolUsage, 'kind' | 'name' | 'project' | 'snapshots'>;

/** Who holds what of the pool; what nobody has a record of is left out. */
export async function poolUsage(context: Context): Promise<PoolUsage[]> {
  const { volumes, snapshots, images } = await context.deps.pool.measure();
  const kept = new Map(snapshots.map((measure) => [measure.id, measure]));
  return [
    ...volumes.flatMap((measure) => [
      ...row(vpsOf(context, measure.id, 'vps'), [measure]),
      ...row(vpsOf(context, measure.id, 'snapshots'), [kept.get(measure.id)]),
    ]),
    ...context.deps.images
      .list()
      .flatMap(({ id, name, project }) =>
        row({ kind: 'image', name, project, snapshots: 0 }, images.filter(isPartOf(id))),
      ),
    ...volumes.flatMap((measure) => row(templateOf(context, measure.id), [measure])),
  ];
}

/** Parts that were made of an image later lie beside it, in folders that begin with its id (image-store). */
const isPartOf =
  (image: string) =>
  ({ id }: Measure): boolean =>
    id === image || id.startsWith(`${image}.`);

function vpsOf({ state }: Context, id: string, kind: 'vps' | 'snapshots'): Whose | undefined {
  const record = state.vps.get(id);
  if (record === undefined) return undefined;
  return { kind, name: record.name, project: record.project, snapshots: record.snapshots.length };
}

function templateOf({ state, deps }: Context, id: string): Whose | undefined {
  const template = state.templates.get(id);
  if (template === undefined) return undefined;
  const image = deps.images.list().find((one) => one.id === template.imageId);
  return { kind: 'template', name: image?.name ?? template.imageId, project: template.project, snapshots: 0 };
}

function row(whose: Whose | undefined, measures: readonly (Measure | undefined)[]): PoolUsage[] {
  const present = measures.filter((measure) => measure !== undefined);
  if (whose === undefined || present.length === 0) return [];
  const used = present.reduce((sum, { total }) => sum + total, 0);
  const exclusive = present.reduce((sum, measure) => sum + measure.exclusive, 0);
  return [{ ...whose, used, exclusive, shared: used - exclusive }];
}
