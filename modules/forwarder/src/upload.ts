import type { InsightKind, Lane } from '@holdfast/contracts';
import { type Clock, errorFields, type Log } from '@holdfast/module-host';
import { fileOf } from './adapters/blob-file.ts';
import type { BlobTarget } from './adapters/blob-target.ts';
import { isDamage } from './adapters/damage.ts';
import { isDiskFull } from './adapters/disk-errors.ts';
import type { Outbox } from './adapters/outbox.ts';
import type { SealedBlob, Sealing } from './adapters/sealing.ts';
import { failureOf, type UploadFailure } from './adapters/upload-failure.ts';
import { Wakeup } from './adapters/wakeup.ts';
import { nextPause } from './domain/backoff.ts';
import { Link, PAUSES } from './link.ts';
import type { ForwarderMetrics } from './metrics.ts';

/** Steps of one blob, for tests that end the process between them. */
export type UploadStep = 'sealed' | 'uploaded' | 'settled';

export interface UploadRules {
  recordsMax: number;
  bytesMax: number;
  intervalMs: number;
  /** Kinds that may leave the site; undefined while no policy has ever come, and nothing may. */
  allowed: ReadonlySet<InsightKind> | undefined;
  /** Identity of the egress policy, stamped on each blob. */
  policyHash: string;
}

export interface UploaderOptions {
  site: string;
  outbox: Outbox;
  sealing: Sealing;
  metrics: ForwarderMetrics;
  clock: Clock;
  log: Log;
  /** Uniform in [0, 1). */
  random(): number;
  rules: UploadRules;
  target: BlobTarget | undefined;
  held: boolean;
  /** Ends the process. */
  fatal(error: Error): never;
  /** Something was given up and must be named in a gap record. */
  onLoss(): void;
  onStep?: ((step: UploadStep, blob: SealedBlob) => void) | undefined;
}

/** Lanes that share one connection. Two of them, so that a large backlog never stands before a fresh anomaly. */
interface Course {
  readonly lanes: readonly Lane[];
  /** How often to look for work, in ms. */
  readonly everyMs: number;
  /** Whether records wait for the interval, or go as soon as they are seen. */
  readonly gathers: boolean;
  readonly wakeup: Wakeup;
  /** Which lane is looked at first: they take turns. */
  turn: number;
}

/** Blobs of one lane that are sealed at a time; the rest stays open to eviction and policy. */
const SEALED_MAX = 4;
/** A full disk is not tried again before this. */
const DISK_PAUSE_MS = 1_000;
/** Refusals after which a blob is split, or its one record buried. */
const REFUSALS_MAX = 3;

/**
 * Carries sealed blobs to the store, never on the path of incoming scores. A failure of the link, the credentials or the
 * target blames no blob; after silence a small question goes first; a refused blob is tried three times, then split until the bad record stands alone and is
 * buried, while the others go on.
 */
export class Uploader {
  readonly #options: UploaderOptions;
  readonly #courses: readonly Course[];
  readonly #stop = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #target: BlobTarget | undefined;
  #rules: UploadRules;
  #stopping = false;
  #policyDirty = true;
  #busy = 0;
  #held: boolean;
  /** Records up to this number are due, for each lane. */
  readonly #due = new Map<Lane, number>();
  #gatheredMs: number;
  readonly #blobPauses = new Map<number, { untilMs: number; pauseMs: number }>();
  /** The way to the store, shared by both courses. */
  readonly link: Link;
  #failures = 0;
  #diskFull = false;
  /** The question under way, shared by both courses. */
  #asking: Promise<boolean> | undefined;

  constructor(options: UploaderOptions) {
    this.#options = options;
    this.#rules = options.rules;
    this.#target = options.target;
    this.#held = options.held;
    this.#gatheredMs = options.clock.monotonicMs();
    this.link = new Link(options);
    const course = (lanes: Lane[], everyMs: number, gathers: boolean): Course => {
      return { lanes, everyMs, gathers, wakeup: new Wakeup(), turn: 0 };
    };
    // Critical records go within a second: a look every 250 ms also lets a burst share a blob.
    this.#courses = [
      course(['critical', 'audit'], 250, false),
      course(['normal', 'bulk'], 500, true),
    ];
  }

  get held(): boolean {
    return this.#held;
  }

  start(): void {
    // A course that fails has ended the process already; the other still lets go of its blob.
    this.#running = Promise.allSettled(this.#courses.map((course) => this.#follow(course)));
  }

  /** Lets uploads under way finish for a while, then cuts them; they are repeated after the next start. */
  async stop(graceMs = 3_000): Promise<void> {
    const cut = setTimeout(() => this.#stop.abort(), graceMs);
    this.#stopping = true;
    this.#wakeAll();
    await this.#running;
    clearTimeout(cut);
  }

  apply(rules: UploadRules, target: BlobTarget | undefined): void {
    this.#rules = rules;
    this.#target = target;
    this.#policyDirty = true;
    this.link.retryNow();
    this.#wakeAll();
  }

  setHeld(held: boolean): void {
    this.#held = held;
    this.link.retryNow();
    this.#wakeAll();
  }

  /**
   * Uploads everything that waits now. Resolves when it is done, when the first attempt fails, or when the time is over.
   * @returns why something still waits, or undefined
   */
  async flush(timeoutMs: number): Promise<string | undefined> {
    if (this.#target === undefined) return 'there is no store';
    if (this.#rules.allowed === undefined) return 'no settings have come yet';
    if (this.#held) return 'uploading is held';
    const { clock } = this.#options;
    const { askedMs } = this.link;
    if (askedMs > 0) return `the store asks for a pause of ${Math.ceil(askedMs / 1000)} s more`;
    const deadline = clock.monotonicMs() + timeoutMs;
    const failures = this.#failures;
    this.link.retryNow();
    this.#blobPauses.clear();
    this.#makeDue();
    for (;;) {
      if (this.#stopping) return 'the module is stopping';
      this.#wakeAll();
      if (this.#nothingDue()) return undefined;
      if (this.#failures > failures) return this.link.lastError ?? 'the store refused a blob';
      if (clock.monotonicMs() > deadline) return 'there was not enough time';
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #follow(course: Course): Promise<void> {
    while (!this.#stopping) {
      const worked = await this.#step(course).catch((error: unknown) => this.#pauseFor(error));
      // A turn of the event loop between two blobs, so that incoming scores never wait for more than one.
      if (worked) await new Promise(setImmediate);
      else await course.wakeup.wait(course.everyMs);
    }
  }

  /** A full disk holds up everything that would have to be written; nothing is lost, and it is tried again. */
  async #pauseFor(error: unknown): Promise<false> {
    if (!isDiskFull(error)) this.#options.fatal(error as Error);
    if (!this.#diskFull) {
      this.#options.log.error('The disk is full, deliveries cannot be settled', errorFields(error));
    }
    this.#diskFull = true;
    await new Promise((resolve) => setTimeout(resolve, DISK_PAUSE_MS));
    return false;
  }

  /** Handles one blob, if there is one to handle. */
  async #step(course: Course): Promise<boolean> {
    const { allowed } = this.#rules;
    if (allowed === undefined) return false;
    if (this.#policyDirty) {
      // Never under an upload: a record on its way can no longer be denied.
      if (this.#busy > 0) return false;
      this.#enforcePolicy(allowed);
    }
    const now = this.#options.clock.monotonicMs();
    if (this.#target === undefined || this.#held || this.link.paused) return false;
    // Then from the top: rules may have changed meanwhile.
    if (this.link.silent) return this.#answers(this.#target);
    this.#gather(course, now);
    const blob = this.#next(course, now);
    if (blob === undefined) return false;
    this.#busy++;
    try {
      await this.#upload(this.#target, blob);
    } finally {
      this.#busy--;
    }
    return true;
  }

  /** On a dead link the question costs a few bytes; on one that has come back, a moment. */
  #answers(target: BlobTarget): Promise<boolean> {
    this.#asking ??= target.silence(this.#stop.signal).then((silence) => {
      this.#asking = undefined;
      if (silence === undefined) this.link.answered();
      else if (!this.#stop.signal.aborted) {
        this.#failures++;
        this.link.failed(silence);
      }
      return silence === undefined;
    });
    return this.#asking;
  }

  #enforcePolicy(allowed: ReadonlySet<InsightKind>): void {
    const denied = this.#options.sealing.denyAllBut(allowed);
    this.#policyDirty = false;
    if (denied > 0)
      this.#options.log.info('The policy keeps waiting records at the site', { denied });
  }

  /** Decides which records go now: urgent ones always, others by time or when a blob is full. */
  #gather(course: Course, now: number): void {
    const { outbox } = this.#options;
    if (!course.gathers) {
      for (const lane of course.lanes) this.#due.set(lane, Number.MAX_SAFE_INTEGER);
      return;
    }
    if (now - this.#gatheredMs >= this.#rules.intervalMs) {
      this.#gatheredMs = now;
      this.#makeDue(course.lanes);
      return;
    }
    const lanes = outbox.lanes();
    for (const lane of course.lanes) {
      const { pending, pendingBytes } = lanes[lane];
      if (pending >= this.#rules.recordsMax || pendingBytes >= this.#rules.bytesMax) {
        this.#makeDue([lane]);
      }
    }
  }

  #makeDue(lanes: readonly Lane[] = this.#courses.flatMap((course) => course.lanes)): void {
    const newest = this.#options.sealing.newest();
    for (const lane of lanes) this.#due.set(lane, newest);
  }

  #nothingDue(): boolean {
    if (this.#busy > 0) return false;
    return this.#courses.every(({ lanes }) =>
      lanes.every((lane) => !this.#options.sealing.waits(lane, this.#due.get(lane) ?? 0)),
    );
  }

  #next(course: Course, now: number): SealedBlob | undefined {
    const { sealing, onStep } = this.#options;
    for (let i = 0; i < course.lanes.length; i++) {
      const lane = course.lanes[(course.turn + i) % course.lanes.length]!;
      const sealed = sealing.sealed(lane, SEALED_MAX);
      let blob = sealed.find(({ number }) => (this.#blobPauses.get(number)?.untilMs ?? 0) <= now);
      if (blob === undefined && sealed.length < SEALED_MAX) {
        blob = sealing.seal(lane, this.#rules, this.#due.get(lane) ?? 0);
        if (sealing.takeGivenUp() > 0) this.#options.onLoss();
        if (blob !== undefined) onStep?.('sealed', blob);
      }
      if (blob === undefined) continue;
      if (course.gathers) course.turn = (course.turn + i + 1) % course.lanes.length;
      return blob;
    }
    return undefined;
  }

  async #upload(target: BlobTarget, blob: SealedBlob): Promise<void> {
    const { sealing, site, metrics, onStep } = this.#options;
    try {
      const records = sealing.records(blob);
      if (records === undefined) {
        await this.#recover(target, blob);
        return;
      }
      const file = fileOf(blob, records, { site, policyHash: this.#rules.policyHash });
      const outcome = await target.put(file, this.#stop.signal, () => this.link.progressed());
      onStep?.('uploaded', blob);
      sealing.delivered(blob);
      onStep?.('settled', blob);
      metrics.uploads.inc({ outcome });
      this.#blobPauses.delete(blob.number);
      this.#diskFull = false;
      this.link.worked();
    } catch (error) {
      if (isDamage(error)) throw error;
      if (this.#stop.signal.aborted) return;
      // The store has the blob, and the disk here is to blame: it is put again, and found to be there.
      if (isDiskFull(error)) throw error;
      const failure = failureOf(error);
      this.#failures++;
      metrics.uploads.inc({ outcome: failure.failure });
      if (failure.failure === 'blob') this.#refused(blob, failure);
      else this.link.failed(failure);
    }
  }

  /** A record of this blob is damaged: what becomes of the others depends on whether the store has it already. */
  async #recover(target: BlobTarget, blob: SealedBlob): Promise<void> {
    const { sealing, log, onLoss } = this.#options;
    const there = await target.holds(blob.name, blob.recordsHash, this.#stop.signal);
    sealing.recover(blob, there);
    this.link.worked();
    log.error('A sealed blob has a damaged record', {
      ...{ code: 'FWD_STORE_DAMAGED', blob: blob.name, records: blob.count },
      atTheStore: there ?? 'unknown',
    });
    onLoss();
  }

  #refused(blob: SealedBlob, failure: UploadFailure): void {
    const { sealing, clock, log } = this.#options;
    this.link.refusedBlob(failure);
    const refusals = sealing.refused(blob);
    const fields = { blob: blob.name, records: blob.count, refusals, message: failure.message };
    if (refusals < REFUSALS_MAX) {
      const before = this.#blobPauses.get(blob.number)?.pauseMs ?? 0;
      const pauseMs = nextPause(before, this.#options.random(), PAUSES.blob);
      this.#blobPauses.set(blob.number, { untilMs: clock.monotonicMs() + pauseMs, pauseMs });
      return;
    }
    this.#blobPauses.delete(blob.number);
    if (blob.count > 1) {
      sealing.split(blob);
      log.warn('The store refuses a blob, it is split to find the record at fault', fields);
    } else {
      sealing.bury(blob, failure.message, clock.wallMs());
      log.error('The store refuses a record for good, it is a dead letter now', fields);
    }
  }

  #wakeAll(): void {
    for (const course of this.#courses) course.wakeup.wake();
  }
}
