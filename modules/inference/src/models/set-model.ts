import type { ModelRunner } from '../domain/model-runner.ts';
import type { Model } from '../domain/score-batch.ts';

/** A model as the set holds it. */
export interface SetModel extends Model {
  readonly runner?: ModelRunner | undefined;
  /** Id of the trusted key that signed the bundle. */
  readonly signedBy?: string | undefined;
  /** Lets the runs that it was given end, then gives the memory back. Idempotent. */
  close(): Promise<void>;
}
