import type { OfferResult, StreamBatch, StreamReceipt } from '../port.ts';
import type { StreamReceiver } from '../receiver.ts';
import type { StreamSender } from '../sender.ts';
import { must } from './violation.ts';

/** A batch in the network; `rows` are the identities of its readings. */
export interface SimulatedBatch extends StreamBatch {
  rows: number[];
}

/** Stands in `applied` for a row that only a lost store had; real rows count from 1. */
const SKIPPED = 0;

/** The implementation under test, real or with a planted bug. */
export interface Ends {
  Sender: typeof StreamSender;
  Receiver: typeof StreamReceiver<SimulatedBatch>;
}

export const STREAM = 'ingest-0';
export const CREDIT = 4;
export const PARKED_MAX = 2;
const TIMEOUT_MS_MIN = 200;
const TIMEOUT_MS_MAX = 60_000;

type Message =
  | { kind: 'batch'; batch: SimulatedBatch }
  | { kind: 'receipt'; receipt: StreamReceipt };

/** Where the receiver's process ends while it handles a batch. */
export type CrashPoint =
  | 'none'
  | 'before apply'
  | 'before commit'
  | 'after receipts, before commit'
  | 'after commit';

/**
 * A journal, a sender, a network that loses, repeats, delays and reorders, and a receiver with a durable position,
 * until it loses its store. Everything durable is in fields that a crash leaves alone; sender and receiver are made anew. Each method is one
 * thing that can happen, and checks what must hold at that moment.
 */
export class World {
  readonly #ends: Ends;
  nowMs = 0;
  readonly network: Message[] = [];
  /** Durable, at the sender's side. Sequence number = index in `rows` of the present epoch + 1. */
  readonly journal = { epochs: 1, rows: [] as number[], receipted: 0, receiptedDurably: 0 };
  /** Durable, at the receiver's side: what was applied or skipped in each epoch, in order. The position is the length. */
  readonly applied = new Map<string, number[]>();
  /** Applied to the store that there is now. */
  readonly #appliedOnce = new Set<number>();
  /** Applied to a store that was lost. */
  readonly #appliedBefore = new Set<number>();
  /** Highest position of each epoch that was committed to any store, and that the sender had a receipt for. */
  readonly #committedEver = new Map<string, number>();
  readonly #receiptedEver = new Map<string, number>();
  /** Rows accepted in each epoch, in order. */
  readonly #accepted = new Map<string, number[]>();
  #sender: StreamSender;
  #receiver: StreamReceiver<SimulatedBatch>;
  /** Epochs of which something was committed since receipts were taken. */
  readonly #owed = new Set<string>();
  #nextRow = 1;
  #highestSent = 0;
  /** Since the last progress: to see a flood. */
  #stretch = { sinceMs: 0, sends: 0 };

  constructor(ends: Ends) {
    this.#ends = ends;
    this.#accepted.set(this.epoch, this.journal.rows);
    this.#sender = this.#newSender();
    this.#receiver = this.#newReceiver();
  }

  get epoch(): string {
    return `epoch-${this.journal.epochs}`;
  }

  get drained(): boolean {
    return (
      this.journal.receipted === this.journal.rows.length &&
      (this.applied.get(this.epoch)?.length ?? 0) === this.journal.rows.length
    );
  }

  append(count: number): void {
    for (let row = 0; row < count; row += 1) this.journal.rows.push(this.#nextRow++);
    this.#sender.appended(this.journal.rows.length);
  }

  /** What the owner of the sender does when it is woken: one batch of at most `rowsMax`, if the sender wants one. */
  send(rowsMax: number): boolean {
    const step = this.#sender.next(this.nowMs);
    this.#checkSender();
    if (step.kind === 'wait') return false;
    const { rows, receiptedDurably, receipted } = this.journal;
    must(step.after >= receiptedDurably, 'the sender asks for rows that are pruned');
    must(step.after >= receipted, 'the sender goes back behind a receipt');
    must(step.after < rows.length, 'the sender asks for rows that do not exist');
    const last = Math.min(rows.length, step.after + rowsMax);
    const batch = {
      stream: STREAM,
      epoch: this.epoch,
      first: step.after + 1,
      last,
      base: step.base,
      rows: rows.slice(step.after, last),
    };
    this.#sender.sent(batch, this.nowMs);
    this.#highestSent = Math.max(this.#highestSent, last);
    this.network.push({ kind: 'batch', batch });
    this.#stretch.sends += 1;
    this.#checkSender();
    return true;
  }

  /** When the sender wants to be woken. */
  wakeMs(): number | undefined {
    const step = this.#sender.next(this.nowMs);
    return step.kind === 'wait' ? step.untilMs : this.nowMs;
  }

  /** Delivers the message at this place of the network, which need not be the oldest. */
  deliver(index: number, crash: CrashPoint = 'none'): void {
    const [message] = this.network.splice(index, 1);
    if (message === undefined) return;
    if (message.kind === 'receipt') this.#takeReceipt(message.receipt);
    else this.#takeBatch(message.batch, crash);
  }

  repeat(index: number): void {
    const message = this.network[index];
    if (message !== undefined) this.network.push(message);
  }

  lose(index: number): void {
    this.network.splice(index, 1);
  }

  /** The receiver's owner sends what receipts are owed; it may do so at any moment. */
  sendReceipts(): void {
    const receipts = this.#receiver.takeReceipts();
    for (const epoch of this.#owed) {
      const through = this.applied.get(epoch)?.length;
      must(
        receipts.some((receipt) => receipt.epoch === epoch && receipt.through === through),
        'no receipt is given for what was committed',
      );
    }
    this.#owed.clear();
    for (const receipt of receipts) {
      const committed = this.applied.get(receipt.epoch)?.length ?? 0;
      must(receipt.through <= committed, 'a receipt goes beyond what is committed');
      this.network.push({ kind: 'receipt', receipt });
    }
  }

  /** Nothing arrives any more, for as long as it takes the sender to send so often. */
  outage(sends: number): void {
    for (let sent = 0; sent < sends; sent += 1) {
      this.nowMs = Math.max(this.nowMs, this.wakeMs() ?? this.nowMs);
      this.send(1);
      this.network.length = 0;
    }
  }

  /** The sender's owner calls this after a reconnect. */
  rewind(): void {
    this.#sender.rewind();
    this.#stretch = { sinceMs: this.nowMs, sends: 0 };
  }

  rememberReceipt(): void {
    this.journal.receiptedDurably = this.journal.receipted;
  }

  crashSender(): void {
    this.journal.receipted = this.journal.receiptedDurably;
    this.#sender = this.#newSender();
  }

  crashReceiver(): void {
    this.#owed.clear();
    this.#receiver = this.#newReceiver();
  }

  /** The receiver's disk is replaced. */
  loseStore(): void {
    for (const row of this.#appliedOnce) this.#appliedBefore.add(row);
    this.#appliedOnce.clear();
    this.applied.clear();
    this.crashReceiver();
  }

  /**
   * A new epoch: behind damage, where all that was ever sent has its receipt and the rest is numbered from 1 again;
   * else a journal that was lost, and all that was not sent with it.
   */
  newEpoch(): void {
    const { rows, receipted } = this.journal;
    const rest = receipted >= this.#highestSent ? rows.slice(receipted) : [];
    this.#accepted.set(this.epoch, rows.slice(0, rows.length - rest.length));
    Object.assign(this.journal, {
      epochs: this.journal.epochs + 1,
      rows: rest,
      receipted: 0,
      receiptedDurably: 0,
    });
    this.#accepted.set(this.epoch, rest);
    this.#highestSent = 0;
    this.#sender = this.#newSender();
  }

  #takeReceipt(receipt: StreamReceipt): void {
    const outcome = this.#sender.receipt(receipt, this.nowMs);
    must(outcome.kind !== 'diverged', 'the sender believes that its journal went back in time');
    if (outcome.kind !== 'advanced') return;
    must(
      outcome.through > this.journal.receipted,
      'a receipt that is no progress is taken for one',
    );
    const committed = this.#committedEver.get(this.epoch) ?? 0;
    must(outcome.through <= committed, 'the sender forgets rows that are not applied');
    this.journal.receipted = outcome.through;
    raise(this.#receiptedEver, this.epoch, outcome.through);
    this.#stretch = { sinceMs: this.nowMs, sends: 0 };
    this.#checkSender();
  }

  #takeBatch(batch: SimulatedBatch, crash: CrashPoint): void {
    if (crash === 'before apply') {
      this.crashReceiver();
      return;
    }
    const before = this.#receiver.position(STREAM, batch.epoch);
    const result = this.#receiver.offer(batch);
    must(this.#receiver.parked <= PARKED_MAX, 'more batches are parked than allowed');
    const rows = [...this.#skippedOf(result, batch.epoch), ...this.#rowsOf(result, batch.epoch)];
    const after = this.#receiver.position(STREAM, batch.epoch);
    must(after === before + rows.length, 'the position is not what was applied');
    if (crash === 'after receipts, before commit') this.sendReceipts();
    if (crash === 'before commit' || crash === 'after receipts, before commit') {
      this.crashReceiver();
      return;
    }
    this.#commit(batch.epoch, rows);
    if (crash === 'after commit') this.crashReceiver();
    else {
      this.#receiver.committed();
      if (rows.length > 0) this.#owed.add(batch.epoch);
    }
  }

  /** What the receiver's owner would record as a gap: rows that a lost store had, for which there was a receipt. */
  #skippedOf({ skipped }: OfferResult<SimulatedBatch>, epoch: string): number[] {
    if (skipped === undefined) return [];
    const position = this.applied.get(epoch)?.length ?? 0;
    must(
      skipped.first === position + 1 && skipped.first <= skipped.last,
      'a gap does not begin where the position is',
    );
    must(
      skipped.last <= (this.#receiptedEver.get(epoch) ?? 0),
      'rows are skipped that have no receipt',
    );
    const rows = this.#accepted.get(epoch)?.slice(position, skipped.last) ?? [];
    for (const row of rows) {
      must(this.#appliedBefore.has(row), 'a row is skipped that no lost store had applied');
    }
    return rows.map(() => SKIPPED);
  }

  /** What the receiver's owner would apply; each row the next one of its epoch. */
  #rowsOf(result: OfferResult<SimulatedBatch>, epoch: string): number[] {
    let position = result.skipped?.last ?? this.applied.get(epoch)?.length ?? 0;
    const found: number[] = [];
    for (const { batch, from } of result.apply) {
      must(batch.epoch === epoch, 'a batch of another epoch is applied');
      must(from === position + 1, `rows from ${from} are applied at position ${position}`);
      must(
        batch.first <= from && from <= batch.last,
        'a batch is applied from a row that it does not have',
      );
      found.push(...batch.rows.slice(from - batch.first));
      position = batch.last;
    }
    return found;
  }

  #commit(epoch: string, rows: readonly number[]): void {
    const applied = this.applied.get(epoch) ?? [];
    this.applied.set(epoch, applied);
    for (const row of rows) {
      if (row === SKIPPED) {
        applied.push(row);
        continue;
      }
      must(row === this.#accepted.get(epoch)?.[applied.length], 'a row is applied out of order');
      must(!this.#appliedOnce.has(row), 'a row is applied twice');
      this.#appliedOnce.add(row);
      applied.push(row);
    }
    raise(this.#committedEver, epoch, applied.length);
  }

  #checkSender(): void {
    const { receipted, sent, appended, inFlightBatches } = this.#sender.status;
    must(receipted <= sent && sent <= appended, 'receipted <= sent <= appended does not hold');
    must(inFlightBatches <= CREDIT, 'more batches are without receipt than credit allows');
    must(
      sent > receipted || inFlightBatches === 0,
      'a batch counts as in flight that has its receipt',
    );
    const elapsedMs = this.nowMs - this.#stretch.sinceMs;
    const timeouts = Math.log2(elapsedMs / TIMEOUT_MS_MIN + 1) + elapsedMs / TIMEOUT_MS_MAX;
    must(
      this.#stretch.sends <= CREDIT + timeouts + 1,
      'the sender floods a network that gives no receipts',
    );
  }

  #newSender(): StreamSender {
    const { rows, receiptedDurably } = this.journal;
    this.#stretch = { sinceMs: this.nowMs, sends: 0 };
    return new this.#ends.Sender(
      { stream: STREAM, epoch: this.epoch, appended: rows.length, receipted: receiptedDurably },
      { credit: CREDIT, timeoutMsMin: TIMEOUT_MS_MIN, timeoutMsMax: TIMEOUT_MS_MAX },
    );
  }

  #newReceiver(): StreamReceiver<SimulatedBatch> {
    const positions = [...this.applied].map(([epoch, rows]) => ({
      stream: STREAM,
      epoch,
      through: rows.length,
    }));
    return new this.#ends.Receiver({ parkedMax: PARKED_MAX }, positions);
  }
}

function raise(marks: Map<string, number>, epoch: string, to: number): void {
  marks.set(epoch, Math.max(to, marks.get(epoch) ?? 0));
}
