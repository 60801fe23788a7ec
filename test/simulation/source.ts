import type { Seeded } from '@holdfast/testkit';
import type { Life } from './life.ts';
import { ALARM } from './life.ts';
import type { ReferenceModel, Row } from './reference-model.ts';
import type { SimulatedHub } from './simulated-hub.ts';
import type { SimulatedTime } from './simulated-time.ts';

interface Batch {
  id: string;
  rows: Row[];
  /** Rows that ingest must refuse. */
  bad: number;
  by: 'http' | 'devices';
  state: 'to send' | 'sent';
  notBeforeMs: number;
}

const PERIOD_MS = 1_000;

/**
 * One asset that keeps a batch until it is acknowledged, and sends it again under the same key when it cannot know.
 * It has one batch under way at a time, so the order of its rows is the order in which it sends them.
 */
export class Source {
  readonly asset: string;
  readonly #startMs: number;
  readonly #random: Seeded;
  readonly #model: ReferenceModel;
  #rows = 0;
  #batches = 0;
  #burst = 0;
  #batch: Batch | undefined;
  /** An answer that cannot be right. */
  problem: string | undefined;

  constructor(asset: string, parts: { startMs: number; random: Seeded; model: ReferenceModel }) {
    this.asset = asset;
    this.#startMs = parts.startMs;
    this.#random = parts.random;
    this.#model = parts.model;
  }

  get idle(): boolean {
    return this.#batch === undefined;
  }

  /** Sends a new batch, or the one that waits again. */
  act(world: {
    time: SimulatedTime;
    hub: SimulatedHub;
    ingest: Life | undefined;
    loss: number;
  }): void {
    const batch = this.#batch ?? this.#newBatch();
    this.#batch = batch;
    if (batch.state === 'sent' || world.time.monotonicMs() < batch.notBeforeMs) return;
    if (batch.by === 'devices') {
      batch.state = 'sent';
      const body = Buffer.from(this.#bodyOf(batch));
      const message = {
        input: 'devices',
        body,
        properties: {},
        messageId: batch.id,
        sender: 'leaf',
      };
      world.hub.deliver('ingest', message);
    } else if (world.ingest?.module !== undefined) this.#post(batch, world.ingest, world);
  }

  /** ingest has handled a message for good. */
  settled(messageId: string | undefined): void {
    if (messageId === this.#batch?.id) this.#acknowledged();
  }

  describe(): string {
    return JSON.stringify({ asset: this.asset, ...this.#batch, rows: this.#batch?.rows.length });
  }

  /** Whoever was to answer is gone. */
  unanswered(): void {
    if (this.#batch?.by === 'http') this.#batch.state = 'to send';
  }

  #post(batch: Batch, ingest: Life, world: { time: SimulatedTime; loss: number }): void {
    batch.state = 'sent';
    const headers = { 'content-type': 'application/json', 'idempotency-key': batch.id };
    const request = {
      method: 'POST' as const,
      url: '/v1/readings',
      headers,
      payload: this.#bodyOf(batch),
    };
    world.time
      .as(ingest.owner, () => ingest.http.inject(request))
      .then(
        ({ statusCode, payload }) => {
          if (ingest.gone || this.#batch !== batch) return;
          if (this.#random.chance(world.loss)) batch.state = 'to send';
          else this.#answered(batch, { statusCode, payload, nowMs: world.time.monotonicMs() });
        },
        () => {
          if (!ingest.gone && this.#batch === batch) batch.state = 'to send';
        },
      );
  }

  #answered(batch: Batch, answer: { statusCode: number; payload: string; nowMs: number }): void {
    const { statusCode, payload, nowMs } = answer;
    if (statusCode === 202) {
      const { accepted } = JSON.parse(payload) as { accepted: number };
      if (accepted !== batch.rows.length) {
        this.problem = `${batch.rows.length} good rows of ${this.asset} were sent and ${accepted} accepted`;
      }
      this.#acknowledged();
    } else if (statusCode === 429 || statusCode === 503) {
      batch.state = 'to send';
      batch.notBeforeMs = nowMs + this.#random.int(10, 1_000);
    } else this.problem = `ingest answered ${statusCode}: ${payload.slice(0, 300)}`;
  }

  #acknowledged(): void {
    const batch = this.#batch;
    if (batch === undefined) return;
    this.#batch = undefined;
    this.#model.accept(this.asset, batch.rows, batch.bad);
  }

  #newBatch(): Batch {
    const random = this.#random;
    const rows = Array.from(
      { length: random.chance(0.1) ? random.int(20, 200) : random.int(1, 8) },
      () => this.#nextRow(),
    );
    this.#batches += 1;
    return {
      id: `${this.asset}-${this.#batches}`,
      rows,
      bad: random.chance(0.05) ? 1 : 0,
      by: random.chance(0.5) ? 'http' : 'devices',
      state: 'to send',
      notBeforeMs: 0,
    };
  }

  /** Values count up; now and then a stretch of them is an alarm. */
  #nextRow(): Row {
    if (this.#burst === 0 && this.#random.chance(0.01)) this.#burst = this.#random.int(1, 8);
    const alarm = this.#burst > 0 ? ALARM : 0;
    this.#burst = Math.max(0, this.#burst - 1);
    const row = { t: this.#startMs + this.#rows * PERIOD_MS, value: this.#rows + alarm };
    this.#rows += 1;
    return row;
  }

  #bodyOf({ rows, bad }: Batch): string {
    const documents: unknown[] = rows.map(({ t, value }) => ({
      asset: this.asset,
      t,
      values: { v: value },
    }));
    for (let i = 0; i < bad; i += 1)
      documents.push({ asset: this.asset, t: 'never', values: { v: 1 } });
    return JSON.stringify(documents);
  }
}
