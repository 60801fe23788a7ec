import type { DetectionOutputs } from '@holdfast/contracts';
import type { Candidate } from './candidates.ts';
import type { Corners } from './placement.ts';

/** Candidates that are looked at, the surest first: bounds the work on a model that is sure of everything. */
export const CANDIDATES_MAX = 2_000;

/**
 * The boxes that remain, the surest first, when of two that overlap by more than `overlapMax` only the surer one stays
 * (non-maximum suppression). Of two that are equally sure the one that comes first stays.
 */
export function suppress(candidates: readonly Candidate[], outputs: DetectionOutputs): Candidate[] {
  const { overlapMax, overlapOf, detectionsMax } = outputs;
  const kept: Candidate[] = [];
  const surest = candidates
    .toSorted((one, two) => two.confidence - one.confidence)
    .slice(0, CANDIDATES_MAX);
  for (const candidate of surest) {
    if (kept.length === detectionsMax) break;
    const covered = kept.some(
      (surer) =>
        (overlapOf === 'all' || surer.label === candidate.label) &&
        overlap(surer.box, candidate.box) > overlapMax,
    );
    if (!covered) kept.push(candidate);
  }
  return kept;
}

/** Intersection over union of two boxes, 0 to 1. */
export function overlap(one: Corners, two: Corners): number {
  const width = Math.min(one[2], two[2]) - Math.max(one[0], two[0]);
  const height = Math.min(one[3], two[3]) - Math.max(one[1], two[1]);
  if (width <= 0 || height <= 0) return 0;
  const both = width * height;
  return both / (area(one) + area(two) - both);
}

const area = ([left, top, right, bottom]: Corners): number => (right - left) * (bottom - top);
