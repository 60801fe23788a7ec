import { randomUUID } from 'node:crypto';

/** One reading as a source posts it; text where a number should be is the source's fault, and ingest's to refuse. */
export interface SourceRow {
  asset: string;
  t: number | string;
  values: Record<string, number | string | null>;
}

export interface SourceCounts {
  fed: number;
  accepted: number;
  /** Rows by reason. */
  refused: Record<string, number>;
  /** One value that was refused, by the same reason. */
  examples: Record<string, string>;
  /** Posts that had to be repeated: no answer, or told to wait. */
  repeated: number;
}

interface Answer {
  accepted: number;
  refused?: { allowed: string; path?: string; value?: unknown }[];
  refusedCount?: number;
}

/** A module that was killed is back within seconds; after so long something is wrong with the site. */
const GIVE_UP_MS = 120_000;

/** The site takes nothing any more. */
export class NotAcknowledged extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotAcknowledged';
  }
}

/**
 * A source that behaves as a source should: it keeps a batch until it is acknowledged, and sends it again under
 * the same idempotency key when it cannot know. So each row counts once, whatever is killed meanwhile.
 */
export class HttpSource {
  readonly counts: SourceCounts = {
    fed: 0,
    accepted: 0,
    refused: {},
    examples: {},
    repeated: 0,
  };
  readonly #url: string;
  readonly #token: string;

  constructor(options: { url: string; token: string }) {
    this.#url = options.url;
    this.#token = options.token;
  }

  /**
   * Resolves once the batch is durable at ingest, however long that takes, with the number of rows accepted.
   * @throws NotAcknowledged after two minutes in vain, Error for an answer that will never change
   */
  async post(rows: readonly SourceRow[], signal: AbortSignal): Promise<number> {
    const body = rows.map((row) => JSON.stringify(row)).join('\n');
    const headers = {
      authorization: `Bearer ${this.#token}`,
      'content-type': 'application/x-ndjson',
      'idempotency-key': randomUUID(),
    };
    this.counts.fed += rows.length;
    const giveUpAt = performance.now() + GIVE_UP_MS;
    for (let attempt = 1; ; attempt += 1) {
      signal.throwIfAborted();
      const response = await this.#try(body, headers);
      if (response !== undefined) {
        const text = await response.text().catch(() => undefined);
        if (text !== undefined && (response.status === 202 || response.status === 200)) {
          return this.#count(JSON.parse(text));
        }
        if (text !== undefined && response.status === 400)
          return this.#count({ accepted: 0, ...JSON.parse(text) }, rows.length);
        if (![408, 429, 500, 502, 503, 504].includes(response.status) && text !== undefined) {
          throw new Error(`ingest answered ${response.status}: ${text.slice(0, 300)}`);
        }
      }
      if (performance.now() > giveUpAt) {
        const answer = response === undefined ? 'no answer' : `answer ${response.status}`;
        throw new NotAcknowledged(
          `ingest has acknowledged nothing for ${GIVE_UP_MS / 1000} s (${answer} from ${this.#url})`,
        );
      }
      this.counts.repeated += 1;
      const waitMs =
        Number(response?.headers.get('retry-after') ?? 0) * 1000 || Math.min(100 * attempt, 1_000);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  async #try(body: string, headers: Record<string, string>): Promise<Response | undefined> {
    try {
      return await fetch(`${this.#url}/v1/readings`, {
        method: 'POST',
        headers,
        body,
        signal: AbortSignal.timeout(10_000),
      });
    } catch {
      return undefined;
    }
  }

  #count(answer: Answer, rowsWhenNone = 0): number {
    this.counts.accepted += answer.accepted;
    const refused = answer.refused ?? [];
    for (const { path = 'row', value, allowed } of refused) {
      // A bound that moves with the clock would make every row a reason of its own.
      const reason = `${path} ${allowed.replace(/\d{4}-\d{2}-\d{2}T\S+ \(\d+\)/, 'the limit')}`;
      this.#refuse(reason, 1);
      if (value !== undefined) this.counts.examples[reason] ??= String(value);
    }
    const unnamed = (answer.refusedCount ?? (refused.length || rowsWhenNone)) - refused.length;
    if (unnamed > 0) this.#refuse('further rows', unnamed);
    return answer.accepted;
  }

  #refuse(reason: string, count: number): void {
    this.counts.refused[reason] = (this.counts.refused[reason] ?? 0) + count;
  }
}

/** Feeds rows at a rate, in batches of at most a tenth of a second or 500 rows, until they end or `signal` aborts. */
export async function feed(options: {
  rows: AsyncIterable<SourceRow> | Iterable<SourceRow>;
  rate: number;
  source: HttpSource;
  signal: AbortSignal;
}): Promise<void> {
  const batchRows = Math.max(1, Math.min(500, Math.ceil(options.rate / 10)));
  const startedAt = performance.now();
  let fed = 0;
  let batch: SourceRow[] = [];
  const post = async () => {
    const dueMs = (fed / options.rate) * 1000;
    const aheadMs = dueMs - (performance.now() - startedAt);
    if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs));
    fed += batch.length;
    const rows = batch;
    batch = [];
    await options.source.post(rows, options.signal);
  };
  for await (const row of options.rows) {
    batch.push(row);
    if (batch.length >= batchRows) await post();
    if (options.signal.aborted) return;
  }
  if (batch.length > 0) await post();
}
