import { type ScoreNotes, writeScoreNotes } from '@holdfast/contracts';

/** What is left out first when the notes are too long. `models` never is: without it scores have the wrong name. */
const LEFT_OUT = ['samples', 'drift'] as const;
export type LeftOut = (typeof LEFT_OUT)[number];

/**
 * The property with the notes of one message; undefined when there is nothing to say. Samples go first when it would
 * be too long, drift next; `leftOut` is told, because both are data.
 */
export function composeNotes(
  notes: ScoreNotes,
  leftOut: (what: LeftOut, notes: ScoreNotes) => void,
): string | undefined {
  const kept: ScoreNotes = { ...notes };
  for (const what of [undefined, ...LEFT_OUT]) {
    if (what !== undefined) {
      if (kept[what] === undefined) continue;
      delete kept[what];
      leftOut(what, notes);
    }
    if (Object.values(kept).every((part) => part === undefined || part.length === 0)) {
      return undefined;
    }
    const text = writeScoreNotes(kept);
    if (text !== undefined) return text;
  }
  return undefined;
}
