import type { TechniqueChoice, Wish } from '../contract/techniques.ts';
import { TECHNIQUE_FACTS, TECHNIQUES, type Technique, type TechniqueReport } from '../contract/techniques.ts';
import { bootPartsOf } from '../core/boot-parts.ts';
import {
  type Candidate,
  type Choice,
  chooseTechnique,
  type ImageToChooseFor,
  orderFor,
  PREFERENCE,
  settles,
} from '../core/technique-choice.ts';
import type { Driver } from '../drivers/driver.ts';
import { bounded } from './bounded.ts';

/** A probe proves by trying, which may mean to boot something small. */
const PROBE_MS = 120_000;

/** What this host can run: each technique is probed once, until someone asks to do so again. */
export class Techniques {
  readonly #drivers: ReadonlyMap<Technique, Driver>;
  readonly #reports = new Map<Technique, Promise<TechniqueReport>>();
  readonly #refreshing = new Map<Technique, Promise<TechniqueReport>>();

  constructor(drivers: ReadonlyMap<Technique, Driver>) {
    this.#drivers = drivers;
  }

  async all(refresh: boolean): Promise<TechniqueReport[]> {
    return Promise.all(TECHNIQUES.map((id) => (refresh ? this.#anew(id) : this.report(id))));
  }

  report(id: Technique): Promise<TechniqueReport> {
    return this.#reports.get(id) ?? this.#ask(id, false);
  }

  /** Those who ask at one time share one probe. */
  #anew(id: Technique): Promise<TechniqueReport> {
    const underWay = this.#refreshing.get(id);
    if (underWay !== undefined) return underWay;
    const report = this.#ask(id, true).finally(() => this.#refreshing.delete(id));
    this.#refreshing.set(id, report);
    return report;
  }

  #ask(id: Technique, anew: boolean): Promise<TechniqueReport> {
    const report = this.#probe(id, anew);
    this.#reports.set(id, report);
    return report;
  }

  /** @throws technique_unavailable, image_unfit */
  async choose(
    asked: TechniqueChoice,
    image: ImageToChooseFor,
    wishes: readonly Wish[] = [],
  ): Promise<Choice> {
    const candidate = async (id: Technique): Promise<Candidate> => {
      const driver = this.#drivers.get(id);
      return {
        report: await this.report(id),
        boot: driver === undefined ? undefined : bootPartsOf(driver, id),
        features: driver?.features(id, image.parts) ?? {},
      };
    };
    if (asked !== 'auto') {
      const first = await candidate(asked);
      const all = settles(first, image, wishes) ? [first] : await Promise.all(PREFERENCE.map(candidate));
      return chooseTechnique(asked, image, all, wishes);
    }
    const candidates: Candidate[] = [];
    for (const id of orderFor(wishes)) {
      const next = await candidate(id);
      candidates.push(next);
      // The slow probes of what comes after the first that fits need not be waited for.
      if (settles(next, image, wishes)) break;
    }
    return chooseTechnique(asked, image, candidates, wishes);
  }

  async #probe(id: Technique, anew: boolean): Promise<TechniqueReport> {
    const driver = this.#drivers.get(id);
    const { name, driver: usual } = TECHNIQUE_FACTS[id];
    if (driver === undefined) {
      return {
        id,
        name,
        driver: usual,
        state: 'undetected',
        reason: `This version of Mullion has no driver for ${name} yet.`,
        evidence: ['no driver is built in, so nothing was probed'],
        remedy: 'Choose another technique',
        features: {},
      };
    }
    try {
      return await bounded(`probe ${name}`, PROBE_MS, driver.probe(id, anew));
    } catch (failure) {
      // That a probe failed says nothing of the technique: the next question tries again.
      this.#reports.delete(id);
      return {
        id,
        name,
        driver: driver.name,
        state: 'unhealthy',
        reason: 'The probe itself failed.',
        evidence: [failure instanceof Error ? failure.message : String(failure)],
        remedy: 'Run: mullion doctor',
        features: {},
      };
    }
  }
}
