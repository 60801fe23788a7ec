import type { ReadingsMessage } from '@holdfast/contracts';
import type { SlotModel } from '../domain/route-models.ts';
import { type Model, type ScoreOptions, scoreAssets } from '../domain/score-batch.ts';
import type { Scorer } from '../domain/scorer.ts';
import type { Group } from './domain/assign.ts';
import { type Trial, tryOut } from './domain/comparison.ts';

/** A shadow that scores, or was left out. */
export interface ShadowRun {
  readonly slot: SlotModel<Model>;
  /** Index of the group whose assets it scores. */
  readonly group: number;
  /** Never rejects. */
  readonly trial: Promise<Trial>;
}

/**
 * Runs shadows on batches, beside the route and behind it: with what the workers have left, on few batches at once, and
 * not at all while batches wait.
 */
export class ShadowRuns {
  readonly #scorerOf: (model: Model) => Scorer;
  readonly #underWay = new Map<string, number>();

  /** `scorerOf` gives a scorer for work of class `shadow`. */
  constructor(scorerOf: (model: Model) => Scorer) {
    this.#scorerOf = scorerOf;
  }

  start(
    batch: ReadingsMessage,
    groups: readonly Group<Model>[],
    options: ScoreOptions & { batchesMax: number; busy: boolean },
  ): ShadowRun[] {
    const runs = groups.flatMap(({ shadows, indexes }, group) =>
      shadows.map((slot) => ({ slot, group, indexes })),
    );
    const batches = new Map<string, Promise<Trial>[]>();
    return runs.map(({ slot, group, indexes }) => {
      const before = this.#underWay.get(slot.slot) ?? 0;
      const begun = batches.get(slot.slot);
      if (options.busy || (begun === undefined && before >= options.batchesMax)) {
        return { slot, group, trial: Promise.resolve(LEFT_OUT) };
      }
      const model = { ...slot.model, scorer: this.#scorerOf(slot.model) };
      const assets = indexes.map((index) => batch.assets[index]!);
      const trial = tryOut(scoreAssets(assets, model, options));
      if (begun === undefined) {
        const own = [trial];
        batches.set(slot.slot, own);
        this.#count(slot.slot, 1);
        void trial.then(() => Promise.all(own)).then(() => this.#count(slot.slot, -1));
      } else begun.push(trial);
      return { slot, group, trial };
    });
  }

  #count(slot: string, change: number): void {
    const count = (this.#underWay.get(slot) ?? 0) + change;
    if (count === 0) this.#underWay.delete(slot);
    else this.#underWay.set(slot, count);
  }
}

const LEFT_OUT: Trial = { code: 'BUSY', message: 'batches of the route go first' };
