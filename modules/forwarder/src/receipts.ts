import {
  LOST_PROPERTY,
  MESSAGE_BYTES_MAX,
  type Outcome,
  type Receipt,
  type ReceiptsMessage,
  type RecordedLoss,
  writeRecordedLosses,
} from '@holdfast/contracts';
import type { Log } from '@holdfast/module-host';
import type { OutboundMessage } from '@holdfast/transport';

/** Outcomes kept for one stream while receipts cannot be sent; whoever waited has long given up by then. */
const RESULTS_MAX = 1_000;

/** Pause before a failed send is tried again. */
const RETRY_MS = 1_000;

/**
 * Sends receipts, joined: one message is under way at a time, and what comes meanwhile goes in the next. A receipt
 * is cumulative, so only the newest of each stream and epoch is kept; nothing is lost for good when one is.
 */
export class ReceiptSender {
  readonly #send: (message: OutboundMessage) => Promise<void>;
  readonly #log: Log;
  readonly #waiting = new Map<string, Receipt>();
  #sending = false;
  #scheduled = false;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;
  /** Outcomes that nobody could be told, since the start. */
  resultsDropped = 0;
  sent = 0;

  readonly #losses: (position: { stream: string; epoch: string }) => RecordedLoss[];

  constructor(options: {
    send: (message: OutboundMessage) => Promise<void>;
    log: Log;
    losses: (position: { stream: string; epoch: string }) => RecordedLoss[];
  }) {
    this.#send = options.send;
    this.#log = options.log;
    this.#losses = options.losses;
  }

  add(
    receipt: { stream: string; epoch: string; through: number },
    results: readonly Outcome[] = [],
  ): void {
    const key = `${receipt.stream}\n${receipt.epoch}`;
    const before = this.#waiting.get(key);
    const through = Math.max(receipt.through, before?.through ?? 0);
    const merged: Outcome[] = [...(before?.results ?? []), ...results];
    const excess = merged.length - RESULTS_MAX;
    if (excess > 0) {
      merged.splice(0, excess);
      this.resultsDropped += excess;
    }
    this.#waiting.delete(key);
    this.#waiting.set(key, {
      stream: receipt.stream,
      epoch: receipt.epoch,
      through,
      ...(merged.length === 0 ? {} : { results: merged }),
    });
    this.#schedule();
  }

  /** Tries at once what has failed before. */
  connected(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
  }

  #schedule(): void {
    if (this.#scheduled || this.#sending || this.#retry !== undefined || this.#stopped) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#sendWaiting();
    });
  }

  async #sendWaiting(): Promise<void> {
    if (this.#waiting.size === 0 || this.#stopped) return;
    this.#sending = true;
    const receipts = this.#take();
    const body: ReceiptsMessage = { v: 1, kind: 'receipts', receipts };
    try {
      await this.#send({
        output: 'receipts',
        body: JSON.stringify(body),
        properties: {
          ...{ kind: 'receipts', v: '1' },
          [LOST_PROPERTY]: writeRecordedLosses(
            receipts.flatMap((receipt) => this.#losses(receipt)),
          ),
        },
      });
      this.sent++;
    } catch (error) {
      this.#log.debug('Receipts could not be sent, they are sent again', {
        message: (error as Error).message,
      });
      this.#giveBack(receipts);
    } finally {
      this.#sending = false;
    }
    if (this.#waiting.size > 0) this.#schedule();
  }

  /** Receipts for one message: as many as fit. */
  #take(): Receipt[] {
    const receipts: Receipt[] = [];
    let bytes = 0;
    for (const [key, receipt] of this.#waiting) {
      bytes += JSON.stringify(receipt).length * 3;
      if (receipts.length > 0 && bytes > MESSAGE_BYTES_MAX) break;
      receipts.push(receipt);
      this.#waiting.delete(key);
    }
    return receipts;
  }

  #giveBack(receipts: readonly Receipt[]): void {
    if (this.#stopped) return;
    this.#retry = setTimeout(() => this.connected(), RETRY_MS);
    this.#retry.unref();
    for (const receipt of receipts) this.add(receipt, receipt.results);
  }
}
