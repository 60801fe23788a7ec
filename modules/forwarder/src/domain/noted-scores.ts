import type { ScoreNotes, ScoresMessage } from '@holdfast/contracts';

/** A scores message with what travelled beside its body. */
export interface NotedScores extends ScoresMessage {
  notes?: ScoreNotes;
}
