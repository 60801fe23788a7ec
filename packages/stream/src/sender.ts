import type {
  ReceiptOutcome,
  SenderOptions,
  SenderStart,
  SenderStatus,
  SenderStep,
  SequenceRange,
} from './port.ts';
import { RoundTrip } from './round-trip.ts';

interface InFlight extends SequenceRange {
  sentMs: number;
  /** Sent before: no round-trip sample [Karn]. */
  again: boolean;
}

/**
 * Decides what of one stream is sent when. Always: `0 <= receipted <= sent <= appended`, and the in-flight
 * batches are a gapless run that ends at `sent`.
 *
 * States:
 * - **idle**: `sent = appended`, nothing in flight. Exit: `appended` -> sending.
 * - **sending**: `sent < appended` and fewer batches in flight than the window: `next` says send.
 *   Exits: `sent` -> sending, blocked or waiting.
 * - **blocked**: the window is full. **waiting**: all is sent, receipts are missing. In both the timer runs.
 *   Exits: an advancing receipt -> sending, waiting or idle; the timer -> probing.
 * - **probing**: after a timeout. Everything since the last receipt counts as not sent, the window is 1 and the
 *   timeout has doubled, so that a receiver that is away for hours costs one message a minute and not a queue
 *   full. Exit: an advancing receipt -> sending with the full window.
 *
 * What it never does: send what was not appended; go back behind a receipt; trust a receipt of another epoch;
 * pass over rows that have no receipt. All of that holds for any order, loss or repetition of receipts.
 *
 * A receiver that lost its store stands before the last receipt, and the rows between may be pruned. It learns from
 * `base`, which goes with every batch, that they had their receipt and do not come again.
 *
 * Rows that are lost stop the stream at `stopAfter`: what stands before is sent and sent again as always. When it has
 * its receipt, `passOver` goes on behind them, with a `base` that says that they never come.
 */
export class StreamSender {
  readonly #stream: string;
  readonly #epoch: string;
  readonly #roundTrip: RoundTrip;
  #credit: number;
  #appended: number;
  #receipted: number;
  #cursor: number;
  /** Highest sequence number ever handed out by this object. */
  #highest: number;
  #inFlight: InFlight[] = [];
  #window: number;
  #timerMs: number | undefined;
  #stopAfter = Number.POSITIVE_INFINITY;
  /** All up to this number is receipted or will never come. */
  #passed = 0;
  #counts = { resends: 0, timeouts: 0, stale: 0, otherEpoch: 0 };

  constructor(start: SenderStart, options: SenderOptions = {}) {
    this.#stream = start.stream;
    this.#epoch = start.epoch;
    this.#appended = start.appended;
    this.#receipted = start.receipted;
    this.#cursor = start.receipted;
    this.#highest = start.receipted;
    this.#credit = Math.max(1, options.credit ?? 4);
    this.#window = this.#credit;
    this.#roundTrip = new RoundTrip({
      firstMs: options.timeoutMsFirst ?? 1_000,
      minMs: options.timeoutMsMin ?? 200,
      maxMs: options.timeoutMsMax ?? 60_000,
    });
  }

  /** The journal now reaches to `last`. */
  appended(last: number): void {
    if (last > this.#appended) this.#appended = last;
  }

  /** Sends nothing behind this number any more: the owner cannot read it. */
  stopAfter(last: number): void {
    this.#stopAfter = last;
  }

  /** Goes on behind rows that are lost; all before them has its receipt, or is lost as well. */
  passOver(last: number): void {
    this.#passed = Math.max(this.#passed, last);
    this.#cursor = Math.max(this.#cursor, last);
  }

  /** A changed setting; a smaller credit takes effect as receipts come in. */
  setCredit(credit: number): void {
    if (this.#window === this.#credit) this.#window = Math.max(1, credit);
    this.#credit = Math.max(1, credit);
  }

  /** What to do now. Ask again after every other call and when the time it gave has come. */
  next(nowMs: number): SenderStep {
    if (this.#timerMs !== undefined && nowMs >= this.#timerMs) this.#timeOut();
    const end = Math.min(this.#appended, this.#stopAfter);
    if (this.#cursor < end && this.#inFlight.length < this.#window) {
      return { kind: 'send', after: this.#cursor, base: this.#base };
    }
    return { kind: 'wait', untilMs: this.#timerMs };
  }

  /** The batch that `next` asked for goes out. Call it before the transport has it: a receipt may be quick. */
  sent(range: SequenceRange, nowMs: number): void {
    if (
      range.first !== this.#cursor + 1 ||
      range.last < range.first ||
      range.last > this.#appended
    ) {
      throw new RangeError(
        `${this.#stream}: ${range.first}..${range.last} does not follow ${this.#cursor} within ${this.#appended}`,
      );
    }
    const again = range.first <= this.#highest;
    if (again) this.#counts.resends += 1;
    this.#inFlight.push({ first: range.first, last: range.last, sentMs: nowMs, again });
    this.#cursor = range.last;
    this.#highest = Math.max(this.#highest, range.last);
    this.#timerMs ??= nowMs + this.#roundTrip.timeoutMs;
  }

  /** A receipt came in: cumulative, possibly late, repeated, or not for us. */
  receipt(receipt: { epoch: string; through: number }, nowMs: number): ReceiptOutcome {
    if (receipt.epoch !== this.#epoch) {
      this.#counts.otherEpoch += 1;
      return { kind: 'other-epoch' };
    }
    if (receipt.through > this.#appended) return { kind: 'diverged' };
    if (receipt.through <= this.#receipted) {
      this.#counts.stale += 1;
      return { kind: 'stale' };
    }
    this.#advance(receipt.through, nowMs);
    return { kind: 'advanced', through: receipt.through };
  }

  /** Sends again from the last receipt, without judging the link: after a reconnect or a changed lookback. */
  rewind(): void {
    this.#cursor = this.#base;
    this.#inFlight = [];
    this.#timerMs = undefined;
  }

  get status(): SenderStatus {
    return {
      stream: this.#stream,
      epoch: this.#epoch,
      appended: this.#appended,
      sent: this.#cursor,
      receipted: this.#receipted,
      inFlightBatches: this.#inFlight.length,
      window: this.#window,
      resends: this.#counts.resends,
      timeouts: this.#counts.timeouts,
      staleReceipts: this.#counts.stale,
      otherEpochReceipts: this.#counts.otherEpoch,
      roundTripMs: this.#roundTrip.smoothedMs,
      timeoutMs: this.#roundTrip.timeoutMs,
    };
  }

  get #base(): number {
    return Math.max(this.#receipted, this.#passed);
  }

  #advance(through: number, nowMs: number): void {
    let sample: number | undefined;
    while (this.#inFlight[0] !== undefined && this.#inFlight[0].last <= through) {
      const batch = this.#inFlight.shift()!;
      if (!batch.again) sample = nowMs - batch.sentMs;
    }
    if (sample !== undefined) this.#roundTrip.sample(sample);
    this.#receipted = through;
    // A receipt for rows handed out before the last return to the receipt: no need to send them again.
    this.#cursor = Math.max(this.#cursor, through);
    this.#window = this.#credit;
    // [RFC6298-5.2], [RFC6298-5.3]
    this.#timerMs = this.#inFlight.length > 0 ? nowMs + this.#roundTrip.timeoutMs : undefined;
  }

  #timeOut(): void {
    this.#counts.timeouts += 1;
    this.#roundTrip.backOff();
    this.#window = 1;
    this.rewind();
  }
}
