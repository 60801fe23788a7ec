import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { HubConfig } from './config.ts';
import { createSas } from './sas.ts';

/** Life of a token for one request, in s. */
const TOKEN_SECS = 300;
/** Longest answer: the cloud's long poll and some. */
const TIMEOUT_MS = 35_000;

/** Requests to the local IoT hub stand-in, signed as the edge device. */
export class CloudClient {
  readonly #config: HubConfig;
  readonly #nowMs: () => number;
  readonly #agent: http.Agent | https.Agent;
  readonly #request: typeof http.request;

  constructor(config: HubConfig, nowMs: () => number) {
    this.#config = config;
    this.#nowMs = nowMs;
    const secure = config.cloudUrl.startsWith('https:');
    const ca = config.cloudCaFile === undefined ? undefined : readFileSync(config.cloudCaFile);
    this.#agent = secure
      ? new https.Agent({ keepAlive: true, ...(ca === undefined ? {} : { ca }) })
      : new http.Agent({ keepAlive: true });
    this.#request = secure ? https.request : http.request;
  }

  /** POSTs JSON to `/edge/<device>/<path>`. Rejects for no connection and for any status but 2xx. */
  post<T>(path: string, document: object, signal?: AbortSignal): Promise<T> {
    const { cloudUrl, deviceId } = this.#config;
    const url = new URL(`/edge/${encodeURIComponent(deviceId)}/${path}`, cloudUrl);
    const body = Buffer.from(JSON.stringify(document));
    const headers = {
      'content-type': 'application/json',
      'content-length': body.length,
      authorization: this.#token(),
    };
    const abort = signal === undefined ? {} : { signal };
    return new Promise<T>((resolve, reject) => {
      const request = this.#request(
        url,
        { method: 'POST', headers, agent: this.#agent, timeout: TIMEOUT_MS, ...abort },
        (response) => {
          collect(response).then((text) => {
            const status = response.statusCode ?? 0;
            if (status >= 200 && status < 300) resolve(JSON.parse(text) as T);
            else reject(new Error(`the cloud answered ${status}: ${text.slice(0, 200)}`));
          }, reject);
        },
      );
      request.on('timeout', () => request.destroy(new Error('the cloud did not answer in time')));
      request.on('error', reject);
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  #token(): string {
    const { iotHubHostName, deviceId, cloudKey, identities } = this.#config;
    const key = cloudKey ?? identities.$edgeHub ?? '';
    const expiry = Math.floor(this.#nowMs() / 1_000) + TOKEN_SECS;
    return createSas(`${iotHubHostName}/devices/${deviceId}`, key, expiry);
  }
}

async function collect(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
