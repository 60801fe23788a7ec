import { Agent } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fastify, { type FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import { windowScorer } from '../domain/window-scorer.ts';
import { type ApiParts, InferenceApi } from '../oip/api.ts';
import { openApi } from '../oip/openapi.ts';
import type { ApiSettings } from '../oip/settings.ts';
import { AnswerCheck, type CheckedAnswer } from './answer-check.ts';
import { FakeCatalog } from './fake-catalog.ts';
import { type Sent, sendRequest } from './send-request.ts';

const WORKER = pathToFileURL(join(process.cwd(), 'modules/inference/src/oip/request-worker.ts'));
const MIB = 1024 * 1024;

/** An answer that keeps to the OpenAPI document: the rig throws on any other. */
export class ApiAnswer implements CheckedAnswer {
  readonly status: number;
  readonly headers: CheckedAnswer['headers'];
  readonly body: Buffer;
  constructor({ status, headers, body }: CheckedAnswer) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
  json<T = Record<string, unknown>>(): T {
    return JSON.parse(this.body.toString()) as T;
  }
  get error(): string {
    return this.json<{ error: string }>().error;
  }
}

/** The HTTP API on a real server on loopback, with a catalogue that the test fills. */
export class ApiRig {
  readonly catalog = new FakeCatalog();
  readonly logged: string[] = [];
  readonly api: InferenceApi;
  /** In force at the start. */
  readonly settings: ApiSettings;
  readonly http: FastifyInstance = fastify({ forceCloseConnections: true });
  readonly registry = new Registry();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #check = new AnswerCheck(openApi('1.2.3'));
  url = '';

  private constructor(parts: Partial<ApiParts>, settings: Partial<ApiSettings>) {
    const quiet = () => {};
    this.settings = {
      httpJsonBytesMax: 8 * MIB,
      httpBodyBytesMax: 64 * MIB,
      httpMemoryBytesMax: 128 * MIB,
      httpTimeoutMs: 30_000,
      httpModelControl: false,
      ...settings,
    };
    this.api = new InferenceApi(
      {
        http: this.http,
        catalog: this.catalog,
        version: '1.2.3',
        workerUrl: WORKER,
        clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
        log: { error: (event) => this.logged.push(event), warn: quiet, info: quiet, debug: quiet },
        metrics: this.registry,
        token: undefined,
        scorerOf: ({ runner, manifest }) => windowScorer(runner, manifest, 'http'),
        ...parts,
      },
      this.settings,
    );
  }

  static async start(
    parts: Partial<ApiParts> = {},
    settings: Partial<ApiSettings> = {},
  ): Promise<ApiRig> {
    const rig = new ApiRig(parts, settings);
    rig.http.get('/healthz', () => ({ status: 'alive' }));
    await rig.api.register();
    await rig.http.listen({ host: '127.0.0.1', port: 0 });
    rig.url = `http://127.0.0.1:${(rig.http.server.address() as AddressInfo).port}`;
    return rig;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.http.close();
    await this.api.close();
  }

  get(path: string, sent: Sent = {}): Promise<ApiAnswer> {
    return this.call('GET', path, sent);
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<ApiAnswer> {
    return this.call('POST', path, { body, headers });
  }

  /** @throws Error when the answer is not what the OpenAPI document says */
  async call(method: string, path: string, sent: Sent = {}): Promise<ApiAnswer> {
    const raw = await sendRequest(this.url + path, method, sent, this.#agent);
    const problems = method === 'HEAD' ? [] : this.#check.problems(method, path, raw);
    if (problems.length > 0) {
      throw new Error(
        `${method} ${path} ${raw.status}: ${problems.join('; ')}: ${raw.body.subarray(0, 300)}`,
      );
    }
    return new ApiAnswer(raw);
  }
}
