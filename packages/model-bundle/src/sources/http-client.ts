import {
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
} from 'node:http';
import { Agent as HttpsAgent, request as requestTls } from 'node:https';
import type { Readable } from 'node:stream';
import { getCACertificates } from 'node:tls';
import { SourceError } from './errors.ts';
import { tlsOrNetworkError } from './http-errors.ts';
import type { FetchLimits, ReachOptions } from './port.ts';
import { showRef } from './ref.ts';

const REDIRECTS_MAX = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export interface HttpRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH';
  url: URL;
  headers?: Record<string, string>;
  /** Goes to the host of `url` only, not with a redirect to another one. Secret. */
  authorization?: string | undefined;
  body?: RequestBody;
}

export interface RequestBody {
  bytes: number;
  /** Called anew for each try. */
  open(): Readable;
}

export interface HttpAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Must be read or destroyed. */
  body: IncomingMessage;
  /** Where it came from, after redirects. */
  url: URL;
}

/**
 * HTTP for sources: TLS verified, plain HTTP only within this machine or where it is allowed, redirects counted and
 * followed for reading only, proxies by HTTPS_PROXY, HTTP_PROXY and NO_PROXY, never compressed.
 */
export class HttpClient {
  readonly #allowHttp: ReadonlySet<string>;
  readonly #answerMs: number;
  readonly #signal: AbortSignal;
  readonly #https: HttpsAgent;
  readonly #http: HttpAgent;
  readonly #local = new HttpAgent({ keepAlive: true });

  constructor(options: ReachOptions, limits: FetchLimits, signal: AbortSignal) {
    this.#allowHttp = new Set(options.allowHttp);
    this.#answerMs = limits.answerMs;
    this.#signal = signal;
    const proxyEnv = process.env;
    // Given certificates take the place of those that Node has, so both are given.
    const ca = options.ca === undefined ? {} : { ca: [...getCACertificates(), options.ca] };
    this.#https = new HttpsAgent({ keepAlive: true, proxyEnv, ...ca });
    this.#http = new HttpAgent({ keepAlive: true, proxyEnv });
  }

  /**
   * Sends a request and gives the head of the answer, whatever its status; a redirect of a GET or HEAD is followed.
   * @throws SourceError
   */
  async send(wanted: HttpRequest): Promise<HttpAnswer> {
    let { url, authorization } = wanted;
    for (let redirects = 0; ; redirects += 1) {
      this.#mustBeSafe(url);
      const answer = await this.#once({ ...wanted, url, authorization });
      const { location } = answer.headers;
      const follows = wanted.method === 'GET' || wanted.method === 'HEAD';
      if (!follows || !REDIRECTS.has(answer.status) || location === undefined) return answer;
      answer.body.destroy();
      if (redirects === REDIRECTS_MAX) {
        throw new SourceError(
          'SOURCE_PROTOCOL',
          `${showRef(wanted.url)}: more than ${redirects} redirects`,
        );
      }
      const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      if (next === undefined) {
        throw new SourceError('SOURCE_PROTOCOL', `${showRef(url)}: redirects to what is no URL`);
      }
      if (url.protocol === 'https:' && next.protocol !== 'https:') {
        throw new SourceError(
          'SOURCE_INSECURE',
          `${showRef(url)} redirects to ${showRef(next)}, without TLS`,
        );
      }
      if (next.origin !== url.origin) authorization = undefined;
      url = next;
    }
  }

  close(): void {
    for (const agent of [this.#https, this.#http, this.#local]) agent.destroy();
  }

  /** @throws SourceError SOURCE_INSECURE */
  #mustBeSafe(url: URL): void {
    if (url.protocol === 'https:' || (url.protocol === 'http:' && isLocal(url))) return;
    if (url.protocol === 'http:' && this.#allowHttp.has(url.host)) return;
    const text = `${showRef(url)}: must be HTTPS, plain HTTP is only allowed within this machine and to hosts that are listed`;
    throw new SourceError('SOURCE_INSECURE', text, { retry: 'never' });
  }

  #once(wanted: HttpRequest): Promise<HttpAnswer> {
    const { url, method, body, authorization } = wanted;
    const secure = url.protocol === 'https:';
    const bodied = method !== 'GET' && method !== 'HEAD';
    return new Promise((resolve, reject) => {
      const options = {
        method,
        signal: this.#signal,
        headers: {
          'user-agent': 'holdfast',
          'accept-encoding': 'identity',
          ...wanted.headers,
          ...(authorization === undefined ? {} : { authorization }),
          ...(body === undefined && !bodied ? {} : { 'content-length': String(body?.bytes ?? 0) }),
        },
      };
      const sent = secure
        ? requestTls(url, { ...options, agent: this.#https })
        : request(url, { ...options, agent: isLocal(url) ? this.#local : this.#http });
      const sending = body?.open();
      const settle = (): void => {
        clearTimeout(timer);
        sending?.destroy();
      };
      const fail = (cause: unknown): void => {
        settle();
        sent.destroy();
        reject(tlsOrNetworkError(url, cause));
      };
      // A request that carries megabytes is answered when they are through; silence of the line ends it too.
      const late = (): void => fail(new Error(`no answer within ${this.#answerMs} ms`));
      let timer = setTimeout(late, this.#answerMs);
      sent.on('error', fail);
      sent.once('response', (message) => {
        settle();
        // From here on the reader of the body hears of errors; one that comes in between is found as a closed stream.
        message.on('error', () => undefined);
        resolve({ status: message.statusCode ?? 0, headers: message.headers, body: message, url });
      });
      if (sending === undefined) {
        sent.end();
        return;
      }
      sending.on('error', fail);
      sending.on('data', () => {
        clearTimeout(timer);
        timer = setTimeout(late, this.#answerMs);
      });
      sending.pipe(sent);
    });
  }
}

/** Requests to these never leave the machine. */
export const isLocal = (url: URL): boolean =>
  url.hostname === 'localhost' ||
  url.hostname === '[::1]' ||
  /^127(?:\.\d{1,3}){3}$/.test(url.hostname);
