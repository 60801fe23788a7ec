import type { Log } from '@holdfast/module-host';
import { codeOf, type ScorerError, type ScorerErrorCode } from '../errors.ts';
import type { Answer } from './answer.ts';
import type { ApiError } from './api-error.ts';

/** After a model's worker ended, or a model was exchanged: it is back in a moment. */
const AGAIN_MS = 1_000;

/** Statuses of what can happen to a run; the protocol says "typically 400" and leaves the rest open. */
const OF_RUNS: Record<ScorerErrorCode, { status: number; again?: number }> = {
  RUN_FAILED: { status: 400 },
  RUN_CRASHED: { status: 500 },
  RUN_INTERRUPTED: { status: 503, again: AGAIN_MS },
  SCORER_UNAVAILABLE: { status: 503, again: AGAIN_MS },
  QUEUE_FULL: { status: 503, again: AGAIN_MS },
  DEADLINE: { status: 504 },
};

/** The answer to a request that failed, whatever was thrown. What nobody expected goes to the log, not to the client. */
export function errorAnswer(error: unknown, log: Log): Answer {
  const code = codeOf(error);
  const { message } = error as Error;
  if (code === 'API_REFUSED') {
    const { status, headers } = error as ApiError;
    return errorOf(status, message, headers);
  }
  if (code !== undefined && Object.hasOwn(OF_RUNS, code)) {
    const { status, again } = OF_RUNS[code as ScorerErrorCode];
    if (again === undefined) return errorOf(status, `the model did not answer: ${message}`);
    const afterMs = (error as ScorerError).retryAfterMs ?? again;
    const secs = String(Math.max(1, Math.ceil(afterMs / 1000)));
    return errorOf(status, `the model cannot answer now: ${message}`, { 'retry-after': secs });
  }
  // Nobody is there to read it.
  if (code === 'HOST_BODY_ABORTED') return errorOf(400, 'the connection was closed');
  const { statusCode = 500 } = error as { statusCode?: number };
  if (statusCode < 500) return errorOf(statusCode, message);
  log.error('A request to the HTTP API failed', { code, message });
  return errorOf(500, 'the request failed, see the log of the module');
}

const errorOf = (status: number, error: string, headers = {}): Answer => ({
  status,
  headers,
  value: { error },
});
