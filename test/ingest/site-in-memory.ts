import type { Outcome, ReadingsMessage } from '@holdfast/contracts';
import { ReadingsMessage as ReadingsSchema } from '@holdfast/contracts';
import { type RunningHost, readEnvironment, startHost } from '@holdfast/module-host';
import { StreamReceiver } from '@holdfast/stream';
import { temporaryFolder } from '@holdfast/testkit';
import { MemoryHub } from '@holdfast/transport';
import { definition } from '../../modules/ingest/src/definition.ts';

/** Stands where inference and forwarder are: applies readings in order, remembers each, gives receipts. */
export class Receiver {
  /** Values of the first signal, in the order in which they were applied, by stream and epoch. */
  readonly applied: { stream: string; epoch: string; seq: number; value: number | null }[] = [];
  readonly messages: ReadingsMessage[] = [];
  /** No receipt goes out while true. */
  silent = false;
  /** Told of the rows of each batch when they are applied, before their receipt goes out. */
  onApplied: ((values: readonly (number | null)[]) => void) | undefined;
  readonly #stream = new StreamReceiver<ReadingsMessage>({ parkedMax: 16 }, []);
  readonly #transport;

  constructor(hub: MemoryHub) {
    this.#transport = hub.transport('forwarder');
    void this.#transport
      .start({
        inputs: { readings: ({ body }) => this.#take(body) },
        methods: {},
        onDesired: () => undefined,
        onFatal: (error) => {
          throw error;
        },
      })
      .catch(() => undefined);
  }

  close(): Promise<void> {
    return this.#transport.close();
  }

  #take(body: Buffer): void {
    // Also a test that every message keeps to its schema.
    const message = ReadingsSchema.parse(JSON.parse(body.toString('utf8')));
    this.messages.push(message);
    if (this.silent) return;
    const results: Outcome[] = [];
    for (const { batch, from } of this.#stream.offer(message).apply) {
      this.#apply(batch, from);
      for (const seq of batch.want ?? [])
        results.push({ seq, outcome: 'scored', score: 0.5, level: 0 });
    }
    this.#stream.committed();
    const receipts = this.#stream
      .takeReceipts()
      .map((receipt) => ({ ...receipt, ...(results.length > 0 && { results }) }));
    if (receipts.length > 0) {
      const text = JSON.stringify({ v: 1, kind: 'receipts', receipts });
      this.#transport.send({ output: 'receipts', body: text }).catch(() => undefined);
    }
  }

  #apply(batch: ReadingsMessage, from: number): void {
    const rows = batch.assets.flatMap(({ seq, values }) =>
      seq.map((number, row) => ({ seq: number, value: values[0]?.[row] ?? null })),
    );
    const fresh = rows.filter(({ seq }) => seq >= from).sort((a, b) => a.seq - b.seq);
    for (const row of fresh)
      this.applied.push({ stream: batch.stream, epoch: batch.epoch, ...row });
    this.onApplied?.(fresh.map(({ value }) => value));
  }
}

export interface Site {
  hub: MemoryHub;
  receiver: Receiver;
  ingest: RunningHost;
  folder: string;
  /** Errors with which ingest would have ended. */
  fatal: Error[];
  post(
    body: unknown,
    headers?: Record<string, string>,
  ): Promise<{ status: number; body: Record<string, unknown> }>;
  get(path: string): Promise<Record<string, unknown>>;
  status(): IngestStatus;
  stop(): Promise<void>;
}

export interface IngestStatus {
  accepted: number;
  inFlight: number;
  receipted: number;
  lost: number;
  accountsHold: boolean;
  waiting: string | null;
  lookback: number;
  refused: Record<string, number>;
  streams: {
    stream: string;
    epoch: string;
    appended: number;
    sent: number;
    receipted: number;
    resends: number;
    epochs: number;
  }[];
}

/** A hub in memory with routes as in a deployment. */
export function aHub(random?: () => number): MemoryHub {
  return new MemoryHub(random === undefined ? {} : { random })
    .route('ingest/readings', 'forwarder/readings')
    .route('forwarder/receipts', 'ingest/receipts');
}

/** ingest in this process, on a hub in memory. */
export async function startSite(
  options: {
    hub?: MemoryHub;
    receiver?: Receiver;
    folder?: string;
    environment?: Record<string, string>;
  } = {},
): Promise<Site> {
  const hub = options.hub ?? aHub();
  const receiver = options.receiver ?? new Receiver(hub);
  const folder = options.folder ?? temporaryFolder('ingest');
  const fatal: Error[] = [];
  const nothing = (): void => undefined;
  const variables = {
    HOLDFAST_DATA_DIR: folder,
    HOLDFAST_HTTP_PORT: '0',
    HOLDFAST_HTTP_AUTH: 'none',
    ...options.environment,
  };
  const ingest = await startHost(definition, readEnvironment(definition, variables), {
    transport: hub.transport('ingest'),
    log: { error: nothing, warn: nothing, info: nothing, debug: nothing },
    clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
    environment: variables,
    fatal: (error) => {
      // The transport reports the same error again once it has reached it; the process would be gone by then.
      if (fatal.includes(error)) return undefined as never;
      fatal.push(error);
      throw error;
    },
  });
  return {
    hub,
    receiver,
    ingest,
    folder,
    fatal,
    post: async (body, headers = {}) => {
      const response = await fetch(`${ingest.url}/v1/readings`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', connection: 'close', ...headers },
        body: JSON.stringify(body),
      });
      return { status: response.status, body: (await response.json()) as Record<string, unknown> };
    },
    get: async (path) => {
      const response = await fetch(`${ingest.url}${path}`, { headers: { connection: 'close' } });
      return (await response.json()) as Record<string, unknown>;
    },
    status: () => ingest.status() as unknown as IngestStatus,
    stop: async () => {
      await ingest.stop();
      await receiver.close();
    },
  };
}

/** `count` readings with the values `from`, `from` + 1, ... spread over seven assets. */
export const numbered = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    asset: `pump-${(from + i) % 7}`,
    t: Date.now(),
    values: { value: from + i },
  }));
