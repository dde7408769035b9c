import { MullionError } from '../contract/errors.ts';
import type { ImagePart } from '../contract/resources.ts';
import {
  type Features,
  TECHNIQUE_FACTS,
  type Technique,
  type TechniqueChoice,
  type TechniqueReport,
  type Wish,
} from '../contract/techniques.ts';
import { type BootParts, canBoot } from './boot-parts.ts';

/**
 * The order in which `auto` tries: the cheapest first. A shared kernel starts in milliseconds and takes only the
 * memory it uses; then kernels of their own, from the fastest to the slowest.
 */
export const PREFERENCE: readonly Technique[] = ['os', 'hardware', 'para', 'kernel', 'full'];

/** The order when as many as possible are to fit: by the memory that one idle VPS costs the host. */
const BY_DENSITY: readonly Technique[] = ['os', 'kernel', 'para', 'hardware', 'full'];
/** Techniques whose guests have only a hypervisor or an emulator between them and the host, no kernel that they call. */
const ISOLATED: ReadonlySet<Technique> = new Set(['hardware', 'para', 'full']);

export interface Candidate {
  readonly report: TechniqueReport;
  /** Parts that an image must have; undefined while no driver is there to say. */
  readonly boot: BootParts | undefined;
  /** What it could do for VPSs of the image. */
  readonly features: Partial<Features>;
}

export interface Choice {
  readonly technique: Technique;
  /** One sentence. */
  readonly reason: string;
}

export interface ImageToChooseFor {
  readonly name: string;
  readonly parts: readonly ImagePart[];
}

/** The order in which techniques are looked at; wishes that a technique either grants or not only rule it out. */
export const orderFor = (wishes: readonly Wish[]): readonly Technique[] =>
  wishes.includes('density') ? BY_DENSITY : PREFERENCE;

const grants = (wish: Wish, { report, features }: Candidate): boolean => {
  switch (wish) {
    case 'own-kernel':
      return features.ownKernel === true;
    case 'display':
      return features.display === true;
    case 'isolation':
      return ISOLATED.has(report.id);
    case 'density':
      return true;
  }
};

const refusedWishes = (candidate: Candidate, wishes: readonly Wish[]): Wish[] =>
  wishes.filter((wish) => !grants(wish, candidate));
const fits = ({ boot }: Candidate, parts: readonly ImagePart[]): boolean =>
  boot !== undefined && canBoot(boot, parts);
const healthy = ({ report }: Candidate): boolean => report.state === 'healthy';
const suits = (candidate: Candidate, image: ImageToChooseFor, wishes: readonly Wish[]): boolean =>
  fits(candidate, image.parts) && refusedWishes(candidate, wishes).length === 0;

/** Whether what comes later in the order need not be looked at. */
export const settles = (candidate: Candidate, image: ImageToChooseFor, wishes: readonly Wish[]): boolean =>
  healthy(candidate) && suits(candidate, image, wishes);

/**
 * The technique of a new VPS: the one asked for when host, image and wishes allow it, else the first in the order of
 * the wishes that they do.
 * @throws technique_unavailable with the probes' evidence; image_unfit that names what would fit
 */
export function chooseTechnique(
  asked: TechniqueChoice,
  image: ImageToChooseFor,
  candidates: readonly Candidate[],
  wishes: readonly Wish[] = [],
): Choice {
  const ordered = orderFor(wishes).flatMap((id) => candidates.filter(({ report }) => report.id === id));
  if (asked !== 'auto') return required(asked, image, ordered, wishes);
  const picked = ordered.find((candidate) => settles(candidate, image, wishes));
  if (picked === undefined) throw nothingSuits(image, ordered, wishes);
  return { technique: picked.report.id, reason: autoReason(picked, image, ordered, wishes) };
}

function required(
  asked: Technique,
  image: ImageToChooseFor,
  candidates: readonly Candidate[],
  wishes: readonly Wish[],
): Choice {
  const candidate = candidates.find(({ report }) => report.id === asked);
  if (candidate?.boot === undefined || !healthy(candidate)) throw unavailable(asked, candidate);
  if (!fits(candidate, image.parts)) throw unfit(asked, image, candidates, candidate.boot);
  const refused = refusedWishes(candidate, wishes);
  if (refused.length > 0) {
    throw new MullionError(
      'invalid_request',
      `The technique ${asked} does not give ${image.name} what was wanted: ${refused.join(', ')}.`,
      { remedy: 'Leave the technique to Mullion, with --technique auto, or want less' },
    );
  }
  return { technique: asked, reason: 'It was asked for.' };
}

function autoReason(
  picked: Candidate,
  image: ImageToChooseFor,
  ordered: readonly Candidate[],
  wishes: readonly Wish[],
): string {
  const passed = ordered.slice(0, ordered.indexOf(picked)).map((other) => {
    const refused = refusedWishes(other, wishes);
    if (fits(other, image.parts) && refused.length > 0)
      return `${other.report.id} does not give ${refused.join(' and ')}`;
    return `${other.report.id} ${healthy(other) ? 'does not fit the image' : `is ${other.report.state}`}`;
  });
  const { id } = picked.report;
  const superlative = wishes.includes('density') ? 'the one of which most fit on a host' : 'the lightest';
  const wanted = wishes.length === 0 ? '' : ` and that gives ${wishes.join(' and ')}`;
  const best = `${id} (${TECHNIQUE_FACTS[id].name}) is ${superlative} of the techniques that this host can run, that ${image.name} allows${wanted}`;
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
  image: ImageToChooseFor,
  candidates: readonly Candidate[],
  boot: BootParts,
): MullionError {
  const missing = boot.needs.filter((part) => !image.parts.includes(part));
  const instead = boot.foreign.length === 0 ? '' : `, and has no ${boot.foreign.join(' or ')} in their place`;
  const fitting = candidates
    .filter((other) => healthy(other) && fits(other, image.parts))
    .map(({ report }) => report.id);
  return new MullionError(
    'image_unfit',
    `The image ${image.name} lacks ${missing.join(' and ')}, which the technique ${asked} needs${instead}.`,
    {
      remedy: [
        ...(fitting.length === 0 ? [] : [`Launch it with --technique ${fitting.join(' or ')}`]),
        ...(canBeBuilt(image) || fitting.length === 0
          ? [`build it anew: mullion image build ${image.name}`]
          : []),
      ].join(', or '),
      details: { image: image.name, technique: asked, parts: image.parts, missing, fitting },
    },
  );
}

/** A disk or an ISO that boots by itself came from elsewhere. */
const canBeBuilt = ({ parts }: ImageToChooseFor): boolean =>
  !parts.includes('iso') && !parts.includes('boot-disk');

/** Nothing that the host runs suits: the host is at fault where another host could, else the request. */
function nothingSuits(
  image: ImageToChooseFor,
  candidates: readonly Candidate[],
  wishes: readonly Wish[],
): MullionError {
  const suiting = candidates.filter((candidate) => suits(candidate, image, wishes));
  const able = candidates.filter(healthy);
  const wanted = wishes.length === 0 ? '' : ` with ${wishes.join(' and ')}`;
  if (suiting.length > 0 || able.length === 0) {
    const named = suiting.length > 0 ? suiting : candidates;
    const remedy = named.map(({ report }) => report.remedy).find((text) => text !== '');
    const reasons = named.map(({ report }) => `${report.id}: ${report.reason}`);
    return new MullionError(
      'technique_unavailable',
      suiting.length > 0
        ? `This host can run none of the techniques that ${image.name} allows${wanted}. ${reasons.join(' ')}`
        : 'This host can run none of the techniques.',
      {
        ...(remedy === undefined ? {} : { remedy }),
        details: { reasons, evidence: named.flatMap(({ report }) => report.evidence) },
      },
    );
  }
  const fitting = able.filter((candidate) => fits(candidate, image.parts)).map(({ report }) => report.id);
  return new MullionError(
    'image_unfit',
    fitting.length === 0
      ? `The image ${image.name} fits none of the techniques that this host can run: ${able.map(({ report }) => report.id).join(', ')}.`
      : `No technique gives the image ${image.name} what was wanted: ${wishes.join(', ')}.`,
    {
      remedy:
        fitting.length === 0
          ? `See its parts with: mullion image info ${image.name}`
          : `Want less: it fits ${fitting.join(', ')}${wishes.includes('display') ? '; a display have images of disks and ISOs that boot by themselves: mullion image import' : ''}`,
      details: { image: image.name, parts: image.parts, fitting },
    },
  );
}
