import { LOST_PROPERTY, writeLostRanges } from '@holdfast/contracts';

/** Rows of one epoch that the journal has lost, both ends included. */
export interface LostRange {
  first: number;
  last: number;
  reason: string;
}

interface Range {
  first: number;
  last: number;
}

/**
 * The gaps of one stream that have no receipt yet, in order. Whether such a row was really lost only the forwarder
 * knows: it may have applied it, with the receipt still under way when the damage was done.
 */
export class LostRows {
  #ranges: LostRange[] = [];
  #passed = 0;

  get ranges(): readonly LostRange[] {
    return this.#ranges;
  }

  get count(): number {
    return this.#ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  }

  /** Last lost row that is known; 0 when there is none. */
  get last(): number {
    return this.#ranges.at(-1)?.last ?? 0;
  }

  /** False when it is known already. */
  add(range: LostRange): boolean {
    if (range.first <= this.last) return false;
    this.#ranges.push(range);
    return true;
  }

  /** How far one gets from `receipted` over gaps alone. */
  reachedFrom(receipted: number): number {
    let reached = receipted;
    for (const { first, last } of this.#ranges) {
      if (first > reached + 1) break;
      reached = Math.max(reached, last);
    }
    return reached;
  }

  /** What is lost behind `receipted`, cut to that. */
  after(receipted: number): LostRange[] {
    return this.#ranges
      .filter(({ last }) => last > receipted)
      .map((range) => ({ ...range, first: Math.max(range.first, receipted + 1) }));
  }

  /**
   * A receipt covers what stands behind `from` through `through`. Gives how many of these rows were lost: those that
   * the forwarder has recorded; or, when it does not tell, all of each gap that was passed over. A receipt for a gap
   * that was not is for rows that came before the damage.
   */
  settle(from: number, through: number, recorded: readonly Range[] | undefined): number {
    let lost = 0;
    const covered = { first: from + 1, last: through };
    if (recorded !== undefined) for (const loss of recorded) lost += overlap(covered, loss);
    else {
      const told = Math.min(through, this.#passed);
      for (const gap of this.#ranges) if (gap.last <= told) lost += overlap(covered, gap);
    }
    this.#ranges = this.after(through);
    return lost;
  }

  /** Batches from behind `last` may go out: the forwarder is told that these rows never come. */
  passed(last: number): void {
    this.#passed = last;
  }

  clear(): void {
    this.#passed = 0;
    this.#ranges = [];
  }
}

/** Says with a message which rows behind `receipted` and up to its `base` never come; nothing when there are none. */
export function lostProperty(
  rows: LostRows,
  receipted: number,
  base: number,
): Record<string, string> {
  const lost = rows.after(receipted).filter(({ last }) => last <= base);
  if (lost.length === 0) return {};
  return { [LOST_PROPERTY]: writeLostRanges(lost.map((r) => [r.first, r.last, r.reason])) };
}

const overlap = (a: Range, b: Range): number =>
  Math.max(0, Math.min(a.last, b.last) - Math.max(a.first, b.first) + 1);
