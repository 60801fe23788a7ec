import { createHash } from 'node:crypto';
import type { Journal, JournalPosition } from '@holdfast/journal';
import { BearerAuth, type Clock, type Log } from '@holdfast/module-host';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { acceptanceOf, faultBody, problemBody, refusalBody, resultsOf } from '../domain/answers.ts';
import type { Fault } from '../domain/fault.ts';
import { formatOf, keyFault, waitSecsOf } from '../domain/http-request.ts';
import type { Intake } from '../domain/intake.ts';
import { readCsv } from '../domain/read-csv.ts';
import { readJsonText, readNdjson } from '../domain/read-text.ts';
import { progressOf, rangesOf, readReceiptId, receiptIdOf } from '../domain/receipt-id.ts';
import { codeOf } from '../errors.ts';
import { isBusy, type Pipeline } from '../pipeline.ts';
import type { StreamPump } from '../stream-pump.ts';
import {
  type Answer,
  busy,
  json,
  problem,
  sendAnswer,
  unauthorized,
  unavailable,
} from './http-answer.ts';
import { readBody } from './http-body.ts';
import { type ReadingsQuery, readQuery } from './http-query.ts';
import type { IngestMetrics } from './metrics.ts';
import { OutcomeWait } from './outcome-wait.ts';
import type { RejectLog } from './reject-log.ts';
import type { Source } from './source.ts';

export interface HttpSourceParts {
  http: FastifyInstance;
  pipeline: Pipeline;
  journal: Journal;
  pumps: readonly StreamPump[];
  rejects: RejectLog;
  metrics: IngestMetrics;
  clock: Clock;
  /** Undefined: no token is asked for. */
  token: string | undefined;
  log: Log;
}

interface HttpSettings {
  bodyBytesMax: number;
  memoryBytesMax: number;
}

/** Source `http`: `POST /v1/readings`, `GET /v1/receipts/{id}`, `GET /v1/rejects`. */
export class HttpSource implements Source {
  readonly name = 'http';
  readonly #parts: HttpSourceParts;
  readonly #auth: BearerAuth | undefined;
  readonly #waits: OutcomeWait;
  #settings: HttpSettings;
  /** Requests under way by idempotency key. */
  readonly #pending = new Map<string, Promise<unknown>>();
  #heldBytes = 0;

  constructor(parts: HttpSourceParts, settings: HttpSettings) {
    this.#parts = parts;
    this.#settings = settings;
    this.#waits = new OutcomeWait(parts.pumps);
    this.#auth =
      parts.token === undefined
        ? undefined
        : new BearerAuth(parts.token, () => parts.clock.monotonicMs());
  }

  async start(): Promise<void> {
    const { http } = this.#parts;
    http.addHook('preClose', (done) => {
      this.#waits.end();
      done();
    });
    await http.register(async (scope) => {
      // Bodies are read by hand: their limits are settings, and 413 must come before the body does.
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
      scope.addHook('onRequest', (request, reply, done) => {
        const refusal = this.#auth?.refusal(request);
        if (refusal === undefined) done();
        else this.#send(request, reply, unauthorized(refusal));
      });
      scope.setErrorHandler((error, request, reply) =>
        this.#send(request, reply, this.#failed(error)),
      );
      scope.post('/v1/readings', (request, reply) => this.#post(request, reply));
      scope.get<{ Params: { id: string } }>('/v1/receipts/:id', (request, reply) =>
        this.#send(request, reply, this.#receipt(request.params.id)),
      );
      scope.get('/v1/rejects', (request, reply) =>
        this.#send(request, reply, json(200, { rejects: this.#parts.rejects.list() })),
      );
    });
  }

  async stop(): Promise<void> {
    this.#waits.end();
    await Promise.allSettled(this.#pending.values());
  }

  health(): string | undefined {
    return undefined;
  }

  apply(settings: HttpSettings): void {
    this.#settings = settings;
  }

  async #post(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { bodyBytesMax, memoryBytesMax } = this.#settings;
    const announced = Number(request.headers['content-length'] ?? bodyBytesMax);
    const reserved =
      Math.min(announced, bodyBytesMax) * (request.headers['content-encoding'] ? 2 : 1);
    if (this.#heldBytes > 0 && this.#heldBytes + reserved > memoryBytesMax) {
      this.#parts.metrics.toldToWait('http', 'memory');
      const reason = `requests under way hold ${this.#heldBytes} of ${memoryBytesMax} bytes`;
      return this.#send(request, reply, busy(reason));
    }
    const reason = this.#parts.pipeline.waitFor('http');
    if (reason !== undefined) return this.#send(request, reply, busy(reason));
    this.#heldBytes += reserved;
    try {
      return this.#send(request, reply, await this.#answer(request));
    } finally {
      this.#heldBytes -= reserved;
    }
  }

  async #answer(request: FastifyRequest): Promise<Answer> {
    const query = readQuery(request.query);
    if ('fault' in query) return this.#refuse(400, 'The query is wrong', query.fault);
    const format = formatOf(request.headers['content-type']);
    if (typeof format === 'object') {
      return this.#refuse(415, 'The content type is not known', format.fault);
    }
    const id = request.headers['idempotency-key'];
    const wrongKey = typeof id === 'string' ? keyFault(id) : undefined;
    if (wrongKey !== undefined) return this.#refuse(400, 'The idempotency key is wrong', wrongKey);
    const body = await readBody(request.raw, this.#settings.bodyBytesMax);
    if ('fault' in body) return this.#refuse(body.status, 'The body cannot be read', body.fault);
    const read = (): Intake => this.#read(format, body.toString('utf8'), query);
    const waitSecs = waitSecsOf(request.headers.prefer);
    if (typeof id !== 'string') return this.#accept(read(), waitSecs, undefined);
    const digest = createHash('sha256')
      .update(`${format}\n${JSON.stringify(query)}\n`)
      .update(body)
      .digest('base64url');
    return this.#once(`http:${id}`, digest, () =>
      this.#accept(read(), waitSecs, { id: `http:${id}`, digest }),
    );
  }

  #read(format: 'json' | 'ndjson' | 'csv', text: string, query: ReadingsQuery): Intake {
    const unit = format === 'json' ? 'row' : 'line';
    const intake = this.#parts.pipeline.intake({ unit, utc: query.zone === 'UTC' });
    if (format === 'json') readJsonText(text, intake, query);
    else if (format === 'ndjson') readNdjson(text, intake, query);
    else readCsv(text, intake, query);
    return intake;
  }

  async #accept(
    intake: Intake,
    waitSecs: number | undefined,
    key: { id: string; digest: string } | undefined,
  ): Promise<Answer> {
    if (intake.accepted.length === 0) {
      this.#parts.pipeline.refused(intake, { source: 'http' });
      return problem(refusalBody(intake));
    }
    const answerText = (positions: readonly JournalPosition[]): string =>
      JSON.stringify(acceptanceOf(intake, this.#receiptIdOf(positions)));
    const origin = { source: 'http' as const, ...(key && { key: { ...key, result: answerText } }) };
    const positions = await this.#parts.pipeline.accept(intake, origin);
    const body = answerText(positions);
    if (waitSecs === undefined) return { status: 202, body };
    const outcomes = await this.#waits.outcomes(positions, waitSecs * 1000);
    if (outcomes === undefined) return { status: 202, body };
    const results = resultsOf(intake.unit, intake.places, outcomes);
    return {
      status: 200,
      body: JSON.stringify({ ...JSON.parse(body), results }),
      headers: { 'preference-applied': `wait=${waitSecs}` },
    };
  }

  /** Answers a request with a key once; a repeat gets the first answer, other content under the same key none. */
  async #once(id: string, digest: string, first: () => Promise<Answer>): Promise<Answer> {
    while (this.#pending.has(id)) await Promise.allSettled([this.#pending.get(id)]);
    const known = this.#parts.journal.findKey(id);
    if (known !== undefined) {
      if (known.digest === digest) {
        return { status: 202, body: known.result, headers: { 'idempotency-replayed': 'true' } };
      }
      const detail = 'idempotency-key: was used before with another body, must be new';
      return problem(problemBody(422, 'key-reused', 'The idempotency key was used before', detail));
    }
    const answer = first();
    this.#pending.set(id, answer);
    try {
      return await answer;
    } finally {
      this.#pending.delete(id);
    }
  }

  #receipt(id: string): Answer {
    const ranges = readReceiptId(id);
    const { streams } = this.#parts.journal;
    if (ranges === undefined || ranges.some(({ partition }) => streams[partition] === undefined)) {
      const detail = `receipt: ${JSON.stringify(id.slice(0, 80))} must be the receipt of an answer of this module`;
      return problem(problemBody(404, 'receipt-unknown', 'No such receipt', detail));
    }
    const progress = progressOf(ranges, ({ partition, epoch, last }) => {
      const stream = streams[partition];
      if (stream?.epoch !== epoch || last > stream.appended) return undefined;
      return stream.receipted;
    });
    if (progress !== undefined) return json(200, progress);
    const detail =
      'the journal has begun a new epoch since, in which its readings have new numbers';
    return problem(problemBody(410, 'receipt-epoch', 'The receipt is of an earlier epoch', detail));
  }

  #receiptIdOf(positions: readonly JournalPosition[]): string {
    const { streams } = this.#parts.journal;
    return receiptIdOf(rangesOf(positions, (partition) => streams[partition]?.epoch ?? ''));
  }

  /** Refuses a request as a whole; it counts as one refused row. */
  #refuse(status: number, title: string, fault: Fault): Answer {
    const intake = this.#parts.pipeline.intake({ unit: 'row' });
    intake.refuse(0, fault);
    this.#parts.pipeline.refused(intake, { source: 'http' });
    return problem(faultBody(status, title, fault));
  }

  #send(request: FastifyRequest, reply: FastifyReply, answer: Answer): FastifyReply {
    this.#parts.metrics.answered(answer.status);
    return sendAnswer(request, reply, answer);
  }

  #failed(error: unknown): Answer {
    const { message } = error as Error;
    const code = codeOf(error);
    if (isBusy(error)) return busy(message);
    if (code === 'JOURNAL_CLOSED') return unavailable('the module is stopping');
    // Nobody is there to read it.
    if (code === 'HOST_BODY_ABORTED') return json(400, {});
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    if (status >= 500) this.#parts.log.error('A request failed', { code, message });
    const title = status >= 500 ? 'The request failed' : 'The request is wrong';
    const detail = status >= 500 ? 'see the log of the module' : message;
    return problem(problemBody(status, 'request', title, detail));
  }
}
