import { Counter, Gauge, type Registry } from 'prom-client';
import type { SourceName } from './source.ts';

/** What the gauges look at when somebody asks. */
export interface Observed {
  accepted(): number;
  inFlight(): number;
  receipted(): number;
  lost(): number;
  missing(): number;
  salvaged(): boolean;
  journalBytes(): number;
  accountsHold(): boolean;
  streams(): { stream: string; resends: number; inFlightBatches: number; epochs: number }[];
}

/** The counters of ingest. Every place that refuses or loses something counts it here, with its reason. */
export class IngestMetrics {
  readonly refusedByCode = new Map<string, number>();
  readonly #acceptedBySource: Counter<'source'>;
  readonly #refused: Counter<'source' | 'code'>;
  readonly #requests: Counter<'status'>;
  readonly #toldToWait: Counter<'source' | 'reason'>;
  readonly #sentBatches: Counter;
  readonly #sentBytes: Counter;
  readonly #ignored: Counter<'reason'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#acceptedBySource = new Counter({
      name: 'holdfast_ingest_accepted_total',
      help: 'Readings made durable since the start of the process',
      labelNames: ['source'],
      registers,
    });
    this.#refused = new Counter({
      name: 'holdfast_ingest_refused_total',
      help: 'Rows refused since the start of the process, by reason',
      labelNames: ['source', 'code'],
      registers,
    });
    this.#requests = new Counter({
      name: 'holdfast_ingest_http_answers_total',
      help: 'HTTP answers of the readings API by status',
      labelNames: ['status'],
      registers,
    });
    this.#toldToWait = new Counter({
      name: 'holdfast_ingest_told_to_wait_total',
      help: 'Requests, messages and chunks that found no room and come again, by reason: cap, floor, disk-full, memory',
      labelNames: ['source', 'reason'],
      registers,
    });
    this.#sentBatches = new Counter({
      name: 'holdfast_ingest_batches_sent_total',
      help: 'Readings messages that the hub has taken',
      registers,
    });
    this.#sentBytes = new Counter({
      name: 'holdfast_ingest_sent_bytes_total',
      help: 'Bytes of the readings messages that the hub has taken',
      registers,
    });
    this.#ignored = new Counter({
      name: 'holdfast_ingest_messages_ignored_total',
      help: 'Receipts and demands that could not be used, by reason',
      labelNames: ['reason'],
      registers,
    });
  }

  accepted(source: SourceName, rows: number): void {
    this.#acceptedBySource.inc({ source }, rows);
  }

  refused(source: SourceName, code: string, rows: number): void {
    this.#refused.inc({ source, code }, rows);
    this.refusedByCode.set(code, (this.refusedByCode.get(code) ?? 0) + rows);
  }

  toldToWait(source: SourceName, reason: string): void {
    this.#toldToWait.inc({ source, reason });
  }

  answered(status: number): void {
    this.#requests.inc({ status });
  }

  sent(bytes: number): void {
    this.#sentBatches.inc();
    this.#sentBytes.inc(bytes);
  }

  ignored(reason: string): void {
    this.#ignored.inc({ reason });
  }
}

/** Gauges that are read when they are asked for. */
export function registerGauges(registry: Registry, observed: Observed): void {
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name: `holdfast_ingest_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  };
  gauge('journal_accepted', 'Readings ever accepted, over all epochs', observed.accepted);
  gauge('in_flight', 'Readings accepted and without receipt', observed.inFlight);
  gauge('receipted', 'Readings ever covered by a receipt', observed.receipted);
  gauge('lost', 'Readings that damage to the journal has cost', observed.lost);
  gauge('missing', 'Readings in gaps of the journal that have no receipt yet', observed.missing);
  gauge('journal_salvaged', '1 when the journal was damaged at the start of the process', () =>
    observed.salvaged() ? 1 : 0,
  );
  gauge('journal_bytes', 'Size of the journal on disk', observed.journalBytes);
  gauge('accounts_hold', '1 while accepted = receipted + in flight + lost', () =>
    observed.accountsHold() ? 1 : 0,
  );
  const streamGauge = (
    name: string,
    help: string,
    field: 'resends' | 'inFlightBatches' | 'epochs',
  ): void => {
    new Gauge({
      name: `holdfast_ingest_stream_${name}`,
      help,
      labelNames: ['stream'],
      registers: [registry],
      collect() {
        for (const stream of observed.streams()) this.set({ stream: stream.stream }, stream[field]);
      },
    });
  };
  streamGauge('resends', 'Batches sent again since the start of the process', 'resends');
  streamGauge('in_flight_batches', 'Batches without receipt', 'inFlightBatches');
  streamGauge('epochs', 'Epochs begun since the start of the process', 'epochs');
}
