import type { Comparison } from './comparison.ts';

/** Compared rows of one asset that wait for a label, for all candidates. At 1 Hz this is two hours. */
const ROWS_MAX = 7_200;
/** Rows of all assets: about 64 bytes each. */
const TOTAL_MAX = 100_000;

/** What a person says about an asset from `fromT` to `toT`, both included, ms since 1970. */
export interface Label {
  readonly asset: string;
  readonly fromT: number;
  readonly toT: number;
  readonly label: 'normal' | 'abnormal';
}

export interface Labelled {
  readonly candidate: string;
  readonly right: { readonly active: boolean; readonly candidate: boolean };
}

interface Row {
  t: number;
  candidate: string;
  /** Whether each found it abnormal; null for a candidate without a score, which is never right. */
  active: boolean;
  own: boolean | null;
}

/** Remembers what the models made of the latest rows, until somebody knows what they were. In memory only. */
export class RecentPairs {
  readonly #rows = new Map<string, Row[]>();
  #total = 0;

  get size(): number {
    return this.#total;
  }

  /** @param candidate key of the candidate */
  add(candidate: string, { assets }: Comparison): void {
    for (const { asset, t, active, candidate: own } of assets) {
      let rows = this.#rows.get(asset);
      // Assets in the order in which they were seen last, so that the first is the one to forget.
      if (rows !== undefined) this.#rows.delete(asset);
      rows ??= [];
      this.#rows.set(asset, rows);
      for (let row = 0; row < t.length; row += 1) {
        const level = own.level[row];
        rows.push({
          ...{ t: t[row]!, candidate, active: active.level[row]! > 0 },
          own: level === null || level === undefined ? null : level > 0,
        });
      }
      this.#total += t.length;
      // Not at each row: what stands in front of an array is costly to take away.
      if (rows.length > 1.5 * ROWS_MAX) {
        this.#total -= rows.splice(0, rows.length - ROWS_MAX).length;
      }
    }
    for (const [asset, rows] of this.#rows) {
      if (this.#total <= TOTAL_MAX) return;
      this.#rows.delete(asset);
      this.#total -= rows.length;
    }
  }

  /** The rows that a label is about, each once: they are forgotten then. */
  take({ asset, fromT, toT, label }: Label): Labelled[] {
    const rows = this.#rows.get(asset);
    if (rows === undefined) return [];
    const isMeant = ({ t }: Row): boolean => t >= fromT && t <= toT;
    const found = rows.filter(isMeant);
    if (found.length === 0) return [];
    const rest = rows.filter((row) => !isMeant(row));
    this.#total -= found.length;
    if (rest.length === 0) this.#rows.delete(asset);
    else this.#rows.set(asset, rest);
    const abnormal = label === 'abnormal';
    return found.map(({ candidate, active, own }) => ({
      ...{ candidate, right: { active: active === abnormal, candidate: own === abnormal } },
    }));
  }
}
