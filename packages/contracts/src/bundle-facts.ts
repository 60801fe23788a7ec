import type { BundleManifest } from './bundle.ts';
import type { BundleInputs } from './bundle-inputs.ts';
import type { BundleOutputs } from './bundle-outputs.ts';

/** Whether each score comes with every signal's share in it. */
export const hasContributions = ({ outputs }: Pick<BundleManifest, 'outputs'>): boolean =>
  outputs.kind === 'reconstruction' ||
  ((outputs.kind ?? 'score') === 'score' &&
    'contributions' in outputs &&
    outputs.contributions !== undefined);

/** Names of the model's outputs that are needed, in the order in which the post-processing takes them. */
export function outputNames(outputs: BundleOutputs): string[] {
  switch (outputs.kind) {
    case 'class':
      return [outputs.probabilities];
    case 'reconstruction':
      return [outputs.reconstruction];
    case 'detection':
      if (outputs.form === 'boxes') return [outputs.boxes, outputs.scores, outputs.classes];
      return [outputs.form === 'grid' ? outputs.grid : outputs.columns];
    default:
      return outputs.contributions === undefined
        ? [outputs.score]
        : [outputs.score, outputs.contributions];
  }
}

/**
 * Rows of lookback that a bundle demands: the outcome of a row is a function of it and exactly so many rows before it.
 * With resampling, as many as lie within the window and the longest hole before it, at the shortest usual distance.
 */
export function lookbackOf({ inputs }: Pick<BundleManifest, 'inputs'>): number {
  return Math.max(windowLookback(inputs), inputs.hopMs === undefined ? 0 : 1);
}

function windowLookback({ rows, periodMs, gapMsMax, resample }: BundleInputs): number {
  if (resample === undefined) return rows - 1;
  const beforeMs = resample.method === 'mean' ? Math.max(gapMsMax, periodMs) : gapMsMax;
  return Math.ceil(((rows - 1) * periodMs + beforeMs) / (resample.sourcePeriodMs ?? periodMs));
}
