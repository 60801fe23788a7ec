import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { writeBundle } from '../../../modules/inference/src/testing/write-bundle.ts';

/** Signals of the model, and so of each reading. */
export const SIGNALS = ['a', 'b'] as const;

/** A sum of both signals of 5 is the warning level, of 10 the alarm level. */
export const LEVELS = { warning: 5, alarm: 10 } as const;

/**
 * Writes a bundle whose window is a single row and whose score is the sum of both signals: every reading gets a
 * score, so that each can be found downstream by itself. @returns its folder
 */
export function oneRowModel(folder: string): string {
  mkdirSync(folder, { recursive: true });
  const fixtures = path.resolve(import.meta.dirname, '../../inference/fixtures');
  return writeBundle(
    folder,
    {
      model: 'sum',
      signals: [...SIGNALS],
      contributions: true,
      golden: [{ name: 'three and four', input: [[3, 4]], score: 7, contributions: [0.36, 0.64] }],
      manifest: { levels: LEVELS },
    },
    fixtures,
  );
}
