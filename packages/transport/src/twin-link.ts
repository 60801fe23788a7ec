import type { TransportLog } from './create.ts';
import type { EdgeHubTiming } from './edge-hub.ts';
import { TransportError } from './errors.ts';
import { chunkReported, REPORTED_BYTES_MAX, refuseReported } from './reported.ts';
import type { ModuleClient, Twin } from './sdk.ts';
import { fromSdkError, notConnectedError, within } from './sdk-errors.ts';

interface TwinParts {
  client: ModuleClient;
  timing: EdgeHubTiming;
  log: TransportLog;
  onDesired(desired: Record<string, unknown>, version: number): void;
  /** `onDesired` threw: a mistake in the program, not of the hub. */
  onFatal(error: Error): void;
  /** The twin answered once on this connection and does not any more: the link or the session is dead. */
  onDead(reason: string): void;
}

/** Leaves room in a patch for what the hub adds. */
const PATCH_BYTES_MAX = REPORTED_BYTES_MAX - 1_024;

/**
 * The module twin over one connection.
 *
 * The SDK merges arrays of a change item by item, never times out, and answers a refused patch with success. So a
 * change only says that there is something new, and the whole document is read; every request has a time limit;
 * patches are checked before they go. Reading again every minute finds changes whose notice was lost, and tells
 * whether the hub still knows this session.
 */
export class TwinLink {
  readonly #parts: TwinParts;
  #twin: Twin | undefined;
  #delivered: number | undefined;
  /** Of the newest notice of a change. */
  #announced = 0;
  #reading = false;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(parts: TwinParts) {
    this.#parts = parts;
  }

  start(): void {
    void this.#read();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** @throws TransportError */
  async report(patch: Record<string, unknown>): Promise<void> {
    const problem = refuseReported(patch);
    if (problem !== undefined) throw refused(problem);
    const twin = this.#twin;
    if (twin === undefined) throw notConnectedError('the twin has not been read yet');
    for (const chunk of chunksOf(patch)) {
      await within(update(twin, chunk), this.#parts.timing.twinTimeoutMs, 'reporting').catch(
        (error: unknown) => {
          throw fromSdkError(error);
        },
      );
    }
  }

  async #read(): Promise<void> {
    if (this.#reading || this.#stopped) return;
    this.#reading = true;
    this.#again = false;
    clearTimeout(this.#timer);
    let nextMs = this.#parts.timing.probeEveryMs;
    try {
      const twin = await within(
        this.#parts.client.getTwin(),
        this.#parts.timing.twinTimeoutMs,
        'reading the twin',
      );
      if (this.#stopped) return;
      this.#take(twin);
      // A change announced while the answer was on its way may be newer than the answer.
      if (this.#announced > (this.#delivered ?? 0)) nextMs = RE_READ_MS;
    } catch (error) {
      if (this.#stopped) return;
      if (this.#delivered !== undefined) {
        this.#parts.onDead('the twin does not answer any more');
        return;
      }
      this.#parts.log.warn('The twin could not be read, trying again', {
        message: (error as Error).message,
      });
      nextMs = this.#parts.timing.twinTimeoutMs;
    } finally {
      this.#reading = false;
    }
    this.#plan(this.#again ? 0 : nextMs);
  }

  /** Now, or when the read under way is over: its answer may be older than the reason to look. */
  #readAgain(): void {
    if (this.#reading) this.#again = true;
    else this.#plan(0);
  }

  #take(twin: Twin): void {
    if (this.#twin === undefined) this.#subscribe(twin);
    this.#twin = twin;
    const { $version, $metadata: _, ...desired } = twin.properties.desired;
    const version = typeof $version === 'number' ? $version : 0;
    if (version === this.#delivered) return;
    this.#delivered = version;
    try {
      this.#parts.onDesired(structuredClone(desired), version);
    } catch (error) {
      this.#parts.onFatal(error as Error);
    }
  }

  #subscribe(twin: Twin): void {
    twin.on('error', (error: Error) => this.#parts.onDead(error.message));
    twin.on('properties.desired', (document: Record<string, unknown>) => {
      // The SDK also tells what it has just read itself; that is the cached document.
      if (document === twin.properties.desired) return;
      this.#announced = Math.max(this.#announced, Number(document.$version ?? 0));
      this.#readAgain();
    });
    // Adding the listener has asked for the subscription. A change between the answer to the first read and the
    // subscription is announced to nobody, so the document is read once more when the subscription stands.
    twin.enableTwinDesiredPropertiesUpdates((error?: Error) => {
      if (error === undefined || error === null) this.#readAgain();
    });
  }

  #plan(delayMs: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read(), delayMs);
    this.#timer.unref();
  }
}

/** Pause before the document is read once more because a newer one was announced. */
const RE_READ_MS = 50;

const refused = (problem: string): TransportError =>
  new TransportError('TRANSPORT_REFUSED', `reported properties: ${problem}`, { retry: 'never' });

function chunksOf(patch: Record<string, unknown>): Record<string, unknown>[] {
  try {
    return chunkReported(patch, PATCH_BYTES_MAX);
  } catch (error) {
    throw refused((error as Error).message);
  }
}

function update(twin: Twin, patch: Record<string, unknown>): Promise<void> {
  return new Promise((resolve, reject) => {
    twin.properties.reported.update(patch, (error?: Error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
