import type { OfferResult, SequenceRange, StreamBatch, StreamReceipt } from './port.ts';

type Apply<B> = OfferResult<B>['apply'];

interface Place<B> {
  stream: string;
  epoch: string;
  /** Applied, perhaps in a transaction that is still open. */
  applied: number;
  /** Applied and committed: what a receipt may say. */
  committed: number;
  /** Early batches by first sequence number, oldest arrival first in iteration order. */
  parked: Map<number, B>;
  dirty: boolean;
}

/**
 * Decides which batches of all streams are applied, in which order. One place for each (stream, epoch).
 *
 * States of a batch that is offered, with `next` = position of its stream and epoch plus one:
 * - **old**: `last < next`. Nothing to apply; the receipt is given again, because the sender may have missed it.
 * - **due**: `first <= next <= last`. Applied from `next` on, and then every parked batch that has become due.
 * - **early**: `first > next`. Parked until the rows before it come. At most `parkedMax` a stream; beyond, the one
 *   that has waited longest goes, counted: its sender sends it again.
 *
 * Before that, the batch may show that this store is not the one that gave the sender its receipts: they only leave
 * after a commit, so `base > position` means that the rows between were committed to a store that was lost. They do
 * not come again, so the position jumps to `base` and the owner records the gap. A batch made earlier has a lower
 * `base` and changes nothing.
 *
 * States of a place: **clean** (its receipt was taken or none is owed), **open** (applied > committed: the owner's
 * transaction is under way), **dirty** (a receipt is owed). `offer` opens, `committed` makes dirty, `takeReceipts`
 * makes clean. There is no way back from open: an owner whose transaction fails ends the process and begins anew
 * with the positions that it had committed.
 *
 * An epoch never seen begins at 1, and an old epoch keeps its position, so late batches of it are still told apart.
 */
export class StreamReceiver<B extends StreamBatch> {
  readonly #parkedMax: number;
  readonly #places = new Map<string, Place<B>>();
  readonly #open = new Set<Place<B>>();

  constructor(options: { parkedMax: number }, positions: Iterable<StreamReceipt>) {
    this.#parkedMax = options.parkedMax;
    for (const { stream, epoch, through } of positions) {
      const place = this.#place(stream, epoch);
      place.applied = through;
      place.committed = through;
    }
  }

  /** Says what to do with a batch. Apply it, commit it with the new position, then call `committed`. */
  offer(batch: B): OfferResult<B> {
    const place = this.#place(batch.stream, batch.epoch);
    const skipped = this.#skip(place, batch.base);
    if (skipped === undefined) return this.#sort(place, batch, []);
    const apply: Apply<B> = [];
    this.#unpark(place, apply);
    return { skipped, ...this.#sort(place, batch, apply) };
  }

  /** The transaction with everything applied since the last call is durable. */
  committed(): void {
    for (const place of this.#open) {
      place.committed = place.applied;
      place.dirty = true;
    }
    this.#open.clear();
  }

  /** Last applied sequence number; 0 for an epoch never seen. In an open transaction it is the new position. */
  position(stream: string, epoch: string): number {
    return this.#places.get(keyOf(stream, epoch))?.applied ?? 0;
  }

  /** Positions to tell the senders: those committed, or asked for again, since the last call. */
  takeReceipts(): StreamReceipt[] {
    const receipts: StreamReceipt[] = [];
    for (const place of this.#places.values()) {
      if (!place.dirty) continue;
      place.dirty = false;
      receipts.push({ stream: place.stream, epoch: place.epoch, through: place.committed });
    }
    return receipts;
  }

  /** Batches that wait for the rows before them. */
  get parked(): number {
    let count = 0;
    for (const place of this.#places.values()) count += place.parked.size;
    return count;
  }

  /** Goes past what was committed to an earlier store. */
  #skip(place: Place<B>, base: number): SequenceRange | undefined {
    if (base <= place.applied) return undefined;
    const skipped = { first: place.applied + 1, last: base };
    place.applied = base;
    this.#open.add(place);
    return skipped;
  }

  /** @param apply what comes before the batch, and the batch itself if it is due */
  #sort(place: Place<B>, batch: B, apply: Apply<B>): OfferResult<B> {
    const next = place.applied + 1;
    if (batch.last < next) {
      place.dirty = true;
      return { apply, outcome: 'duplicate', dropped: 0 };
    }
    if (batch.first > next) return { ...this.#park(place, batch), apply };
    apply.push({ batch, from: next });
    place.applied = batch.last;
    this.#unpark(place, apply);
    this.#open.add(place);
    return { apply, outcome: 'applied', dropped: 0 };
  }

  #park(place: Place<B>, batch: B): Omit<OfferResult<B>, 'apply'> {
    // The sender hears where we stand: it may be waiting for a receipt that was lost.
    place.dirty = true;
    const twin = place.parked.get(batch.first);
    if (twin !== undefined && twin.last >= batch.last) {
      return { outcome: 'duplicate', dropped: 0 };
    }
    place.parked.set(batch.first, batch);
    return { outcome: 'parked', dropped: this.#bound(batch.stream) };
  }

  /** All epochs of a stream share its bound; the oldest epoch gives way first. */
  #bound(stream: string): number {
    const places = [...this.#places.values()].filter((place) => place.stream === stream);
    let excess = places.reduce((sum, place) => sum + place.parked.size, 0) - this.#parkedMax;
    let dropped = 0;
    for (const place of places) {
      for (const first of place.parked.keys()) {
        if (excess <= 0) return dropped;
        place.parked.delete(first);
        excess -= 1;
        dropped += 1;
      }
    }
    return dropped;
  }

  #unpark(place: Place<B>, apply: Apply<B>): void {
    for (;;) {
      let due: B | undefined;
      for (const [first, batch] of place.parked) {
        if (first > place.applied + 1) continue;
        place.parked.delete(first);
        if (batch.last <= place.applied) continue;
        due = batch;
        break;
      }
      if (due === undefined) return;
      apply.push({ batch: due, from: place.applied + 1 });
      place.applied = due.last;
    }
  }

  #place(stream: string, epoch: string): Place<B> {
    const key = keyOf(stream, epoch);
    let place = this.#places.get(key);
    if (place === undefined) {
      place = { stream, epoch, applied: 0, committed: 0, parked: new Map(), dirty: false };
      this.#places.set(key, place);
    }
    return place;
  }
}

const keyOf = (stream: string, epoch: string): string => `${stream}\n${epoch}`;
