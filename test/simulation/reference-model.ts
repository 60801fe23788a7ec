/** What the simulated model gives for a window: rows with rising weights, in single precision as the real one. */
export function expectedScore(window: readonly number[]): number {
  const score = new Float32Array(1);
  for (const [at, value] of window.entries()) score[0]! += value * (at + 1);
  return score[0]!;
}

export interface Row {
  t: number;
  value: number;
}

export interface FoundScore {
  asset: string;
  t: number;
  score: number;
}

/**
 * Everything that Holdfast promises, in its simplest form: rows that were acknowledged, in the order of their asset.
 * Each must be found downstream once, with the score of its window, or be counted as one that had no full window.
 */
export class ReferenceModel {
  readonly #assets = new Map<string, Row[]>();
  readonly #windowRows: number;
  accepted = 0;
  refused = 0;

  constructor(windowRows: number) {
    this.#windowRows = windowRows;
  }

  accept(asset: string, rows: readonly Row[], refused: number): void {
    const known = this.#assets.get(asset) ?? [];
    this.#assets.set(asset, known);
    known.push(...rows);
    this.accepted += rows.length;
    this.refused += refused;
  }

  get scored(): number {
    let rows = 0;
    for (const { length } of this.#assets.values())
      rows += Math.max(0, length - this.#windowRows + 1);
    return rows;
  }

  /** What is wrong with the scores that arrived; undefined when nothing is. `missing` are allowed to be so many. */
  problemOf(found: readonly FoundScore[], missingMax: number): string | undefined {
    const byPlace = new Map<string, FoundScore>();
    for (const one of found) {
      const place = `${one.asset} at ${one.t}`;
      if (byPlace.has(place)) return `the score of ${place} has arrived twice`;
      byPlace.set(place, one);
    }
    let missing = 0;
    let first = '';
    for (const [asset, rows] of this.#assets) {
      for (let last = this.#windowRows - 1; last < rows.length; last += 1) {
        const { t } = rows[last]!;
        const place = `${asset} at ${t}`;
        const one = byPlace.get(place);
        byPlace.delete(place);
        if (one === undefined) {
          missing += 1;
          first ||= place;
          continue;
        }
        const window = rows.slice(last - this.#windowRows + 1, last + 1).map(({ value }) => value);
        const wanted = expectedScore(window);
        if (one.score !== wanted) {
          return `the score of ${place} is ${one.score}, its window gives ${wanted}`;
        }
      }
    }
    if (missing > missingMax) {
      return `${missing} acknowledged readings have no score downstream, ${missingMax} may; the first is ${first}`;
    }
    const [stranger] = byPlace.keys();
    return stranger === undefined
      ? undefined
      : `a score has arrived for ${stranger}, which was never acknowledged or has no full window`;
  }
}
