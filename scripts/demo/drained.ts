import type { Site } from './site.ts';
import { type ForwarderStatus, type IngestStatus, type SiteStatus, sum } from './status.ts';

/** Ingest repeats what has no receipt after a minute at the latest, so a longer rest is a standstill. */
const STALL_MS = 90_000;

/** The site does not come to rest: something it holds goes nowhere. */
export class NotDrained extends Error {
  constructor(last: SiteStatus, stallMs: number) {
    super(`nothing moves for ${stallMs / 1000} s and still not drained: ${JSON.stringify(last)}`);
    this.name = 'NotDrained';
  }
}

/**
 * Waits until every reading has its receipt, closes what is open, and waits until every record is delivered.
 * @param options.stallMs how long the books may stand still before this gives up
 * @throws NotDrained
 */
export async function drained(
  site: Site,
  options: { stallMs?: number } = {},
): Promise<{ ingest: IngestStatus; forwarder: ForwarderStatus }> {
  const { stallMs = STALL_MS } = options;
  let flushed = false;
  let seen = '';
  let movedAt = performance.now();
  for (;;) {
    const { ingest, forwarder } = await site.status();
    if (ingest !== undefined && forwarder !== undefined) {
      const receipted = ingest.inFlight === 0;
      const pending = sum(Object.values(forwarder.lanes).map((lane) => lane.pending));
      if (receipted && !flushed) flushed = await flush(site);
      else if (receipted && pending === 0) return { ingest, forwarder };
      const now = JSON.stringify([ingest.inFlight, forwarder.applied, forwarder.lanes]);
      if (now !== seen) movedAt = performance.now();
      seen = now;
    }
    if (performance.now() - movedAt > stallMs) {
      throw new NotDrained({ ingest, forwarder }, stallMs);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Ends what is open and starts the upload of everything; false when the forwarder could not be asked. */
const flush = (site: Site): Promise<boolean> =>
  site.edge.invokeMethod('forwarder', 'flush', {}).then(
    ({ status }) => status === 200,
    () => false,
  );
