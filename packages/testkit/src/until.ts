export interface UntilOptions {
  /** @default 10_000 */
  timeoutMs?: number;
  /** Pause between two looks in ms. @default 10 */
  every?: number;
  /** Says in the failure what was waited for; text or, for a late look at the state, a function. */
  what?: string | (() => string);
}

/**
 * Waits until a condition gives something truthy and returns that. A condition that throws counts as not yet met;
 * its last error is the cause of the failure. For tests, and for scripts that wait for another process.
 * @throws Error when the time is over, with the condition's own text unless `what` says it better
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<NonNullable<T>> {
  const { timeoutMs = 10_000, every = 10 } = options;
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  let error: unknown;
  let looks = 0;
  for (;;) {
    looks++;
    try {
      last = await condition();
      error = undefined;
      if (last) return last as NonNullable<T>;
    } catch (thrown) {
      error = thrown;
    }
    // Put this way round, it also ends in the remains of a test file that is over, where the clock is gone.
    if (!(performance.now() < deadline)) break;
    await new Promise((resolve) => setTimeout(resolve, every));
  }
  throw new Error(failureText(condition, options.what, { timeoutMs, looks, last, error }), {
    cause: error,
  });
}

function failureText(
  condition: () => unknown,
  what: UntilOptions['what'],
  seen: { timeoutMs: number; looks: number; last: unknown; error: unknown },
): string {
  const subject =
    typeof what === 'function' ? what() : (what ?? condition.toString().replace(/\s+/g, ' '));
  const outcome =
    seen.error === undefined
      ? `last value ${String(seen.last)}`
      : `last error: ${seen.error instanceof Error ? seen.error.message : String(seen.error)}`;
  return `waited ${seen.timeoutMs} ms in vain for: ${subject} (${seen.looks} looks, ${outcome})`;
}
