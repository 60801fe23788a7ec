/** Why a run gave no scores. Match on `code`. */
export type ScorerErrorCode =
  /** The runtime refused this input; another input may work. */
  | 'RUN_FAILED'
  /** The worker ended while this run was in it; it has been started anew. */
  | 'RUN_CRASHED'
  /** The worker ended before this run began, because of something else: run it again. */
  | 'RUN_INTERRUPTED'
  /** There is no worker, and none could be started: nothing can be scored now. */
  | 'SCORER_UNAVAILABLE'
  /** Too much waits already; `retryAfterMs` says when to come again. */
  | 'QUEUE_FULL'
  /** The request had not begun when its time was over. */
  | 'DEADLINE';

export class ScorerError extends Error {
  override readonly name = 'ScorerError';
  readonly code: ScorerErrorCode;
  /** With QUEUE_FULL. */
  readonly retryAfterMs: number | undefined;
  constructor(
    code: ScorerErrorCode,
    message: string,
    options: { cause?: unknown; retryAfterMs?: number } = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The `code` of anything thrown, or undefined. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
