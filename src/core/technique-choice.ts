import { MullionError } from '../contract/errors.ts';
import type { ImagePart } from '../contract/resources.ts';
import {
  TECHNIQUE_FACTS,
  type Technique,
  type TechniqueChoice,
  type TechniqueReport,
} from '../contract/techniques.ts';

/**
 * The order in which `auto` tries: the cheapest first. A shared kernel starts in milliseconds and takes only the
 * memory it uses; then kernels of their own, from the fastest to the slowest.
 */
export const PREFERENCE: readonly Technique[] = ['os', 'hardware', 'para', 'kernel', 'full'];

export interface Candidate {
  readonly report: TechniqueReport;
  /** Parts that an image must have; undefined while no driver is there to say. */
  readonly needs: readonly ImagePart[] | undefined;
}

export interface Choice {
  readonly technique: Technique;
  /** One sentence. */
  readonly reason: string;
}

const fits = (candidate: Candidate, parts: readonly ImagePart[]): boolean =>
  candidate.needs?.every((part) => parts.includes(part)) ?? false;
const healthy = ({ report }: Candidate): boolean => report.state === 'healthy';

/**
 * The technique of a new VPS: the one asked for when host and image allow it, else the first of `PREFERENCE` that
 * they do.
 * @throws technique_unavailable with the probe's evidence; image_unfit that names what would fit
 */
export function chooseTechnique(
  asked: TechniqueChoice,
  image: { readonly name: string; readonly parts: readonly ImagePart[] },
  candidates: readonly Candidate[],
): Choice {
  const ordered = PREFERENCE.flatMap((id) => candidates.filter(({ report }) => report.id === id));
  if (asked !== 'auto') return required(asked, image, ordered);
  const picked = ordered.find((candidate) => healthy(candidate) && fits(candidate, image.parts));
  if (picked === undefined) throw nothingFits(image, ordered);
  return { technique: picked.report.id, reason: autoReason(picked, image, ordered) };
}

function required(
  asked: Technique,
  image: { readonly name: string; readonly parts: readonly ImagePart[] },
  candidates: readonly Candidate[],
): Choice {
  const candidate = candidates.find(({ report }) => report.id === asked);
  if (candidate === undefined || !healthy(candidate) || candidate.needs === undefined) {
    throw unavailable(asked, candidate);
  }
  if (!fits(candidate, image.parts)) throw unfit(asked, image, candidates, candidate.needs);
  return { technique: asked, reason: 'It was asked for.' };
}

function autoReason(
  picked: Candidate,
  image: { readonly name: string; readonly parts: readonly ImagePart[] },
  ordered: readonly Candidate[],
): string {
  const passed = ordered
    .slice(0, ordered.indexOf(picked))
    .map(
      (candidate) =>
        `${candidate.report.id} ${healthy(candidate) ? 'does not fit the image' : `is ${candidate.report.state}`}`,
    );
  const { id } = picked.report;
  const best = `${id} (${TECHNIQUE_FACTS[id].name}) is the lightest technique that this host can run and ${image.name} allows`;
  return passed.length === 0 ? `${best}.` : `${best}: ${passed.join(', ')}.`;
}

function unavailable(asked: Technique, candidate: Candidate | undefined): MullionError {
  const report = candidate?.report;
  return new MullionError(
    'technique_unavailable',
    `This host cannot run the technique ${asked}: ${report?.reason ?? 'it was not probed.'}`,
    {
      ...(report === undefined || report.remedy === '' ? {} : { remedy: report.remedy }),
      details: { technique: asked, state: report?.state ?? 'undetected', evidence: report?.evidence ?? [] },
    },
  );
}

function unfit(
  asked: Technique,
  image: { readonly name: string; readonly parts: readonly ImagePart[] },
  candidates: readonly Candidate[],
  needs: readonly ImagePart[],
): MullionError {
  const missing = needs.filter((part) => !image.parts.includes(part));
  const fitting = candidates
    .filter((other) => healthy(other) && fits(other, image.parts))
    .map(({ report }) => report.id);
  return new MullionError(
    'image_unfit',
    `The image ${image.name} lacks ${missing.join(' and ')}, which the technique ${asked} needs.`,
    {
      remedy:
        fitting.length === 0
          ? `Build the image anew: mullion image build ${image.name}`
          : `Launch it with --technique ${fitting.join(' or ')}, or build it anew: mullion image build ${image.name}`,
      details: { image: image.name, technique: asked, parts: image.parts, missing, fitting },
    },
  );
}

function nothingFits(
  image: { readonly name: string; readonly parts: readonly ImagePart[] },
  candidates: readonly Candidate[],
): MullionError {
  const able = candidates.filter(healthy);
  if (able.length === 0) {
    return new MullionError('technique_unavailable', 'This host can run none of the techniques.', {
      details: { reasons: candidates.map(({ report }) => `${report.id}: ${report.reason}`) },
    });
  }
  return new MullionError(
    'image_unfit',
    `The image ${image.name} fits none of the techniques that this host can run: ${able.map(({ report }) => report.id).join(', ')}.`,
    {
      remedy: `See its parts with: mullion image info ${image.name}; build it anew: mullion image build ${image.name}`,
      details: { image: image.name, parts: image.parts },
    },
  );
}
