import { BearerAuth, type Clock, type Log } from '@holdfast/module-host';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import type { Catalog } from '../domain/catalog.ts';
import type { Scorer } from '../domain/scorer.ts';
import { type Answer, sendAnswer } from './answer.ts';
import { ApiError } from './api-error.ts';
import { ApiMetrics } from './api-metrics.ts';
import { errorAnswer } from './error-answer.ts';
import { type Call, operations } from './operations.ts';
import { HeldBytes } from './request-body.ts';
import { RequestReader } from './request-reader.ts';
import { type Match, matchRoute, type Operation } from './routes.ts';
import type { ReadyEntry, ScoreImage } from './score.ts';
import type { ApiSettings } from './settings.ts';
import { Statistics } from './statistics.ts';

export interface ApiParts {
  http: FastifyInstance;
  catalog: Catalog;
  /** Of the module. */
  version: string;
  /** The file of the thread that parses long texts. */
  workerUrl: URL;
  clock: Clock;
  log: Log;
  metrics: Registry;
  /** Undefined: no token is asked for. */
  token: string | undefined;
  /** A scorer of windows above a model's runner. */
  scorerOf(entry: ReadyEntry): Scorer;
  /** Undefined: images are refused. */
  scoreImage?: ScoreImage;
}

/** Whoever asks whether the server lives must not need a secret for it. */
const OPEN: ReadonlySet<Operation> = new Set(['live', 'ready']);

/**
 * The HTTP API of the models: the Open Inference Protocol v2 under `/v2`, and `/score`. Every answer that is an error
 * has the form `{"error": text}`, whatever goes wrong on these paths; other paths of the module are not its business.
 */
export class InferenceApi {
  readonly #parts: ApiParts;
  readonly #auth: BearerAuth | undefined;
  readonly #metrics: ApiMetrics;
  readonly #held: HeldBytes;
  readonly #reader: RequestReader;
  readonly #operations: Record<Operation, (call: Call) => Answer | Promise<Answer>>;
  #settings: ApiSettings;
  #stopping = false;

  constructor(parts: ApiParts, settings: ApiSettings) {
    this.#parts = parts;
    this.#settings = settings;
    this.#held = new HeldBytes(settings.httpMemoryBytesMax);
    this.#reader = new RequestReader(parts.workerUrl);
    this.#metrics = new ApiMetrics(parts.metrics, () => this.#held.bytes);
    this.#auth =
      parts.token === undefined
        ? undefined
        : new BearerAuth(parts.token, () => parts.clock.monotonicMs());
    this.#operations = operations({
      ...parts,
      statistics: new Statistics(),
      held: this.#held,
      reader: this.#reader,
      settings: () => this.#settings,
      stopping: () => this.#stopping,
      // The token is the permission to change things; without one, the setting is.
      mayControl: () => this.#auth !== undefined || this.#settings.httpModelControl,
    });
  }

  /** Puts the paths onto the module's server, which must not listen yet. */
  async register(): Promise<void> {
    const { http } = this.#parts;
    http.addHook('preClose', (done) => {
      this.#stopping = true;
      done();
    });
    for (const prefix of ['/v2', '/score']) {
      await http.register(
        async (scope) => {
          // Bodies are read by hand: their limits are settings, and a refusal must come before the body does.
          scope.removeAllContentTypeParsers();
          scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
          scope.setErrorHandler((error, request, reply) =>
            this.#send(request, reply, errorAnswer(error, this.#parts.log)),
          );
          const handler = (request: FastifyRequest, reply: FastifyReply) =>
            this.#handle(request, reply);
          scope.all('/', handler);
          scope.all('/*', handler);
          // For methods that the router does not know.
          scope.setNotFoundHandler(handler);
        },
        { prefix },
      );
    }
  }

  apply(settings: ApiSettings): void {
    this.#settings = settings;
    this.#held.bytesMax = settings.httpMemoryBytesMax;
  }

  /** For `status` of the module. */
  status(): Record<string, unknown> {
    return { answered: this.#metrics.answered, heldBytes: this.#held.bytes };
  }

  close(): Promise<void> {
    return this.#reader.close();
  }

  async #handle(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const startMs = this.#parts.clock.monotonicMs();
    let answer: Answer;
    try {
      const match = this.#authorized(request);
      answer = await this.#operations[match.operation]({ request, match, startMs });
      this.#metrics.took(match.operation, (this.#parts.clock.monotonicMs() - startMs) / 1000);
    } catch (error) {
      answer = errorAnswer(error, this.#parts.log);
    }
    return this.#send(request, reply, answer);
  }

  /** Who has no token learns nothing, not even which paths there are. @throws ApiError */
  #authorized(request: FastifyRequest): Match {
    let match: Match | undefined;
    let failure: unknown;
    try {
      match = matchRoute(request.method, request.raw.url ?? request.url);
    } catch (error) {
      failure = error;
    }
    if (match === undefined || !OPEN.has(match.operation)) {
      const refusal = this.#auth?.refusal(request);
      if (refusal !== undefined)
        throw new ApiError(refusal.status, refusal.detail, refusal.headers);
    }
    if (match === undefined) throw failure;
    return match;
  }

  #send(request: FastifyRequest, reply: FastifyReply, answer: Answer): FastifyReply {
    this.#metrics.sent(answer.status);
    return sendAnswer(request, reply, answer);
  }
}
