import { MESSAGE_BYTES_MAX, type Receipt } from '@holdfast/contracts';
import type { Journal, JournalBatch, JournalStream } from '@holdfast/journal';
import type { Clock, Log } from '@holdfast/module-host';
import { type SenderStatus, type SequenceRange, StreamSender } from '@holdfast/stream';
import type { OutboundMessage } from '@holdfast/transport';
import { ArrivalRate, lingerMs } from './domain/linger.ts';
import { LostRows, lostProperty } from './domain/lost-rows.ts';
import { OutcomeWaiters } from './domain/outcome-waiters.ts';
import { batchBytesMax, readingsMessageOf } from './domain/readings-message.ts';
import { codeOf, IngestError } from './errors.ts';

/** What a pump needs of the world. */
export interface PumpPorts {
  journal: Journal;
  clock: Clock;
  log: Log;
  connected(): boolean;
  send(message: OutboundMessage): Promise<void>;
  fatal(error: Error): never;
  onSent(bytes: number): void;
}

/** The settings that a pump goes by. */
export interface PumpSettings {
  credit: number;
  lingerMs: number;
}

/** Pause after a failed send: doubles from the first to the last. */
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 10_000;

/**
 * Sends one stream: what the sender asks for, read from the journal, one message after the other.
 *
 * A full batch leaves at once, within the credit. A small one leaves at once while rows come slowly and nothing else is
 * under way; otherwise it waits for more rows, see `lingerMs`: few large messages are what the hub is good at.
 */
export class StreamPump {
  readonly waiters = new OutcomeWaiters();
  readonly #partition: number;
  readonly #ports: PumpPorts;
  #settings: PumpSettings;
  #sender: StreamSender;
  /** True while a step is queued or a send is under way. */
  #busy = false;
  #timer: NodeJS.Timeout | undefined;
  #timerMs = Number.POSITIVE_INFINITY;
  /** When the first row that no batch has taken yet came; undefined when there is none. */
  #unsentSinceMs: number | undefined;
  /** Last sequence number that the sender has been told of. */
  #known: number;
  #rowBytes = 64;
  readonly #arrivals = new ArrivalRate();
  #pauseMs = 0;
  #notBeforeMs = 0;
  #stopped = false;
  /** Rows that are lost and have no receipt yet. */
  readonly #lost = new LostRows();
  #earlierCounts = { resends: 0, timeouts: 0, epochs: 0 };

  constructor(partition: number, ports: PumpPorts, settings: PumpSettings) {
    this.#partition = partition;
    this.#ports = ports;
    this.#settings = settings;
    this.#sender = this.#newSender();
    this.#known = this.stream.appended;
    this.#passStop();
  }

  get stream(): JournalStream {
    return this.#ports.journal.streams[this.#partition] as JournalStream;
  }

  get status(): SenderStatus & { epochs: number; lost: number; gaps?: readonly SequenceRange[] } {
    const status = this.#sender.status;
    return {
      ...status,
      lost: this.stream.lost,
      ...(this.#lost.ranges.length > 0 && { gaps: this.#lost.ranges }),
      resends: status.resends + this.#earlierCounts.resends,
      timeouts: status.timeouts + this.#earlierCounts.timeouts,
      epochs: this.#earlierCounts.epochs,
    };
  }

  /** Rows of gaps that have no receipt yet. */
  get missing(): number {
    return this.#lost.count;
  }

  /** New rows may be in the journal. */
  grown(): void {
    const { appended } = this.stream;
    if (appended === this.#known) return;
    this.#known = appended;
    this.#unsentSinceMs ??= this.#ports.clock.monotonicMs();
    this.#sender.appended(appended);
    this.#schedule(0);
  }

  /** Looks for something to do in the next turn. */
  wake(): void {
    this.grown();
    this.#schedule(0);
  }

  /**
   * There is a new connection. What was under way may be lost with the old one, and the wait for its receipt may have
   * grown to a minute: it goes again at once. What did arrive is told apart by its numbers.
   */
  connected(): void {
    this.#pauseMs = 0;
    this.#notBeforeMs = 0;
    this.rewind();
  }

  apply(settings: PumpSettings): void {
    this.#settings = settings;
    this.#sender.setCredit(settings.credit);
    this.wake();
  }

  /** @param recorded what the forwarder has recorded as lost in this epoch; undefined when it does not tell */
  receipt(receipt: Receipt, recorded?: readonly SequenceRange[]): void {
    const outcome = this.#sender.receipt(receipt, this.#ports.clock.monotonicMs());
    if (outcome.kind === 'diverged') {
      this.#startEpoch('Journal is older than its receipts, a new epoch begins');
      return;
    }
    if (outcome.kind === 'advanced') {
      const lost = this.#lost.settle(this.stream.receipted, outcome.through, recorded);
      this.#ports.journal.receipt(this.#partition, outcome.through, lost);
    }
    if (receipt.epoch === this.stream.epoch) {
      this.waiters.settle(receipt.results ?? [], this.stream.receipted);
    }
    this.#passStop();
    this.#schedule(0);
  }

  /** Sends again what has no receipt, because it would be sent differently now. */
  rewind(): void {
    this.#sender.rewind();
    this.wake();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped || this.#busy) return;
    const at = this.#ports.clock.monotonicMs() + delayMs;
    if (delayMs <= 0) {
      this.#busy = true;
      setImmediate(() => this.#step());
      return;
    }
    if (at >= this.#timerMs) return;
    clearTimeout(this.#timer);
    this.#timerMs = at;
    this.#timer = setTimeout(() => {
      this.#timerMs = Number.POSITIVE_INFINITY;
      this.#schedule(0);
    }, delayMs);
  }

  #step(): void {
    this.#busy = false;
    if (this.#stopped || !this.#ports.connected()) return;
    const nowMs = this.#ports.clock.monotonicMs();
    if (nowMs < this.#notBeforeMs) {
      this.#schedule(this.#notBeforeMs - nowMs);
      return;
    }
    const step = this.#sender.next(nowMs);
    if (step.kind === 'wait') {
      if (step.untilMs !== undefined) this.#schedule(Math.max(1, step.untilMs - nowMs));
      return;
    }
    const lingerMs = this.#lingerMs(step.after, nowMs);
    if (lingerMs > 0) {
      this.#schedule(lingerMs);
      return;
    }
    try {
      this.#sendBatch(step, nowMs);
    } catch (error) {
      const { range, reason } = error as { range?: SequenceRange; reason?: string };
      if (codeOf(error) !== 'JOURNAL_DAMAGED' || range === undefined) {
        this.#ports.fatal(error as Error);
      }
      this.#stopAtGap(range, reason ?? 'damaged');
    }
  }

  /** What stands before must have its receipt first: it may be under way, and must not be taken for lost. */
  #stopAtGap(range: SequenceRange, reason: string): void {
    const { stream, epoch, receipted } = this.stream;
    if (this.#lost.add({ ...range, reason })) {
      const event = 'Readings are lost, the journal was damaged; a gap is recorded';
      this.#ports.log.error(event, { stream, epoch, ...range, reason, receipted });
    }
    this.#passStop();
    this.#schedule(0);
  }

  /** Goes on behind a gap in the same epoch: then the forwarder tells what of it was applied, and nothing counts twice. */
  #passStop(): void {
    const { barrier = Number.POSITIVE_INFINITY, receipted } = this.stream;
    const reached = this.#lost.reachedFrom(receipted);
    if (reached >= barrier) {
      this.#startEpoch('The end of the journal was lost, what follows goes on in a new epoch');
      return;
    }
    this.#sender.passOver(reached);
    this.#lost.passed(reached);
    const next = this.#lost.ranges.find(({ first }) => first > reached + 1);
    const gap = next === undefined ? Number.POSITIVE_INFINITY : next.first - 1;
    this.#sender.stopAfter(Math.min(gap, barrier));
  }

  /** How much longer the rows after `after` should wait for company; 0 when they go now. */
  #lingerMs(after: number, nowMs: number): number {
    const { inFlightBatches, roundTripMs = 0 } = this.#sender.status;
    if (this.#unsentSinceMs === undefined) return 0;
    const rows = this.stream.appended - after;
    if (rows * this.#rowBytes >= MESSAGE_BYTES_MAX) return 0;
    const wait = lingerMs({
      busy: inFlightBatches > 0,
      settingMs: this.#settings.lingerMs,
      roundTripMs,
      rowsPerMs: this.#arrivals.rowsPerMs,
    });
    return this.#unsentSinceMs + wait - nowMs;
  }

  #sendBatch(step: { after: number; base: number }, nowMs: number): void {
    const { batch, body } = this.#readBatch(step);
    this.#sender.sent(batch, nowMs);
    this.#arrivals.came(batch.last - step.after, nowMs);
    this.#unsentSinceMs = batch.last < this.stream.appended ? nowMs : undefined;
    const { stream, receipted } = this.stream;
    const properties = {
      kind: 'readings',
      v: '1',
      stream,
      ...lostProperty(this.#lost, receipted, step.base),
    };
    this.#busy = true;
    this.#ports.send({ output: 'readings', body, properties }).then(
      () => {
        this.#pauseMs = 0;
        this.#ports.onSent(body.length);
        this.#free(0);
      },
      (error: unknown) => this.#sendFailed(error),
    );
  }

  /** The message is still in the journal: it goes out again from the last receipt, after a pause. */
  #sendFailed(error: unknown): void {
    const code = codeOf(error);
    if (code === 'TRANSPORT_CLOSED') return;
    if (code === 'TRANSPORT_TOO_LARGE') {
      this.#ports.fatal(new IngestError('INGEST_BROKEN', 'A batch is too large', { cause: error }));
    }
    if (code !== 'TRANSPORT_NOT_CONNECTED') {
      this.#ports.log.warn('Batch could not be sent, it goes again', {
        stream: this.stream.stream,
        code,
      });
    }
    this.#sender.rewind();
    this.#pauseMs = Math.min(PAUSE_MS_MAX, Math.max(PAUSE_MS_MIN, this.#pauseMs * 2));
    this.#notBeforeMs = this.#ports.clock.monotonicMs() + this.#pauseMs;
    this.#free(this.#pauseMs);
  }

  #free(delayMs: number): void {
    this.#busy = false;
    this.#schedule(delayMs);
  }

  /** The largest batch that fits into one message. */
  #readBatch({ after, base }: { after: number; base: number }): {
    batch: JournalBatch;
    body: string;
  } {
    const { journal } = this.#ports;
    const { stream, epoch } = this.stream;
    let bytesMax = batchBytesMax(this.waiters.size);
    for (;;) {
      const { lookback } = journal;
      const batch = journal.readBatch(this.#partition, { after, bytesMax, lookback });
      if (batch === undefined) {
        const found = `${stream}: the journal has nothing after ${after}`;
        this.#ports.fatal(new IngestError('INGEST_BROKEN', found));
      }
      const want = this.waiters.within(batch.first, batch.last);
      const body = readingsMessageOf({ stream, epoch, base, lookback, want }, batch);
      const bytes = Buffer.byteLength(body);
      this.#rowBytes = Math.max(16, body.length / (batch.last - batch.first + 1));
      // The journal's own estimate of the size can be a little low; then the batch is read again, smaller.
      if (bytes <= MESSAGE_BYTES_MAX || batch.first === batch.last) return { batch, body };
      bytesMax = Math.floor((bytesMax * MESSAGE_BYTES_MAX) / bytes) - 256;
    }
  }

  /** Numbers what has no receipt anew: the old numbers can no longer be trusted. */
  #startEpoch(event: string): void {
    const { stream, epoch, appended } = this.stream;
    const status = this.#sender.status;
    this.#earlierCounts.resends += status.resends;
    this.#earlierCounts.timeouts += status.timeouts;
    this.#earlierCounts.epochs += 1;
    const newEpoch = this.#ports.journal.startEpoch(this.#partition);
    this.waiters.clear();
    this.#lost.clear();
    this.#sender = this.#newSender();
    this.#known = this.stream.appended;
    this.#ports.log.error(event, { stream, epoch, appended, newEpoch });
    this.wake();
  }

  #newSender(): StreamSender {
    return new StreamSender(this.stream, { credit: this.#settings.credit });
  }
}
