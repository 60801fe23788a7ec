import {
  checkScores,
  describeProblem,
  describeProblems,
  NOTES_PROPERTY,
  readScoreNotes,
} from '@holdfast/contracts';
import type { Log } from '@holdfast/module-host';
import type { InboundMessage } from '@holdfast/transport';
import { inconsistencyOf } from './domain/consistency.ts';
import type { NotedScores } from './domain/noted-scores.ts';
import type { ForwarderMetrics } from './metrics.ts';

/** Reads messages with scores, and refuses what is wrong with a reason that says where, what and what is allowed. */
export class MessageReader {
  readonly #log: Log;
  readonly #metrics: ForwarderMetrics;
  readonly refused: Record<string, number> = {};

  constructor(options: { log: Log; metrics: ForwarderMetrics }) {
    this.#log = options.log;
    this.#metrics = options.metrics;
  }

  /** Never throws; undefined for a message that is wrong, which is counted and logged. */
  read({ body, sender, properties }: InboundMessage): NotedScores | undefined {
    let document: unknown;
    try {
      document = JSON.parse(body.toString('utf8'));
    } catch (error) {
      return this.#refuse('not-json', (error as Error).message, sender);
    }
    const checked = checkScores(document);
    if (!checked.ok) return this.#refuse('schema', describeProblems(checked.problems), sender);
    const problem = inconsistencyOf(checked.value);
    if (problem !== undefined)
      return this.#refuse('inconsistent', describeProblem(problem), sender);
    const notes = readScoreNotes(properties[NOTES_PROPERTY]);
    return notes === undefined ? checked.value : { ...checked.value, notes };
  }

  /** The sender keeps what it has no receipt for, so nothing is lost; a person has to look why it is wrong. */
  #refuse(reason: string, problems: string, sender: string | undefined): undefined {
    this.refused[reason] = (this.refused[reason] ?? 0) + 1;
    this.#metrics.refused.inc({ reason });
    this.#log.error('A scores message is wrong and was not applied', {
      reason,
      problems: problems.slice(0, 1_000),
      sender,
    });
    return undefined;
  }
}
