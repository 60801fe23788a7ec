import { CloudClient } from './cloud-client.ts';
import type { ExchangeReply, ExchangeRequest, MethodOutcome, TwinState } from './cloud-protocol.ts';
import type { HubError } from './errors.ts';
import type { HubParts } from './hub.ts';

/** How long the cloud may hold a poll back, in ms. */
const POLL_MS = 20_000;
/** First and longest pause between two attempts to reach the cloud, in ms. */
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;

export interface CloudLink {
  /** The last exchange succeeded. */
  readonly up: boolean;
  start(): void;
  /** Something has changed that the cloud should know. */
  wake(): void;
  /** A request has failed: look for the cloud anew. */
  lost(): void;
  post<T>(path: string, document: object): Promise<T>;
  close(): Promise<void>;
}

export const startCloudLink = (parts: () => HubParts): CloudLink => new PollingLink(parts);

/**
 * Keeps in touch with the cloud. States: *down* (tries an exchange with growing pauses) and *up* (one poll under
 * way, always). Any failure leads to down; a successful exchange leads to up and lets the stored messages go.
 */
class PollingLink implements CloudLink {
  up = false;
  readonly #parts: () => HubParts;
  #client: CloudClient | undefined;
  #abort = new AbortController();
  #closed = false;
  #loop: Promise<void> = Promise.resolve();
  #endPause: (() => void) | undefined;
  #syncing = false;
  #syncAgain = false;

  constructor(parts: () => HubParts) {
    this.#parts = parts;
  }

  start(): void {
    const { config, nowMs } = this.#parts();
    if (config.cloudUrl === '') return;
    this.#client = new CloudClient(config, nowMs);
    this.#loop = this.#run();
  }

  post<T>(path: string, document: object): Promise<T> {
    if (this.#client === undefined) return Promise.reject(new Error('there is no cloud'));
    return this.#client.post<T>(path, document, this.#abort.signal);
  }

  wake(): void {
    if (!this.up) return;
    if (this.#syncing) {
      this.#syncAgain = true;
      return;
    }
    this.#syncing = true;
    this.#exchange(0)
      .catch(() => this.lost())
      .finally(() => {
        this.#syncing = false;
        if (!this.#syncAgain) return;
        this.#syncAgain = false;
        this.wake();
      });
  }

  lost(): void {
    if (!this.up) return;
    this.up = false;
    const { metrics, log } = this.#parts();
    metrics.count('edgehub_offline_count_total', {});
    log('warn', 'The cloud is out of reach');
    this.#abort.abort();
    this.#abort = new AbortController();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.up = false;
    this.#abort.abort();
    this.#endPause?.();
    await this.#loop;
    this.#client?.close();
  }

  async #run(): Promise<void> {
    let pauseMs = RETRY_MS_MIN;
    while (!this.#closed) {
      try {
        await this.#exchange(this.up ? POLL_MS : 0);
        if (!this.up && !this.#closed) this.#found();
        pauseMs = RETRY_MS_MIN;
      } catch (error) {
        if (this.#closed) break;
        this.#parts().log('debug', 'No answer from the cloud', {
          detail: (error as Error).message,
        });
        this.lost();
        await this.#pause(pauseMs);
        pauseMs = Math.min(pauseMs * 2, RETRY_MS_MAX);
      }
    }
  }

  #found(): void {
    this.up = true;
    const { log, upstream } = this.#parts();
    log('info', 'The cloud is reached');
    upstream.wake();
  }

  async #exchange(waitMs: number): Promise<void> {
    const reply = await this.#post(waitMs, new Set());
    this.#take(reply);
    if (reply.wanted.length === 0) return;
    this.#take(await this.#post(0, new Set(reply.wanted)));
  }

  async #post(waitMs: number, wanted: ReadonlySet<string>): Promise<ExchangeReply> {
    const { twinStore } = this.#parts();
    const reported = twinStore.unsynced();
    const request: ExchangeRequest = { waitMs, twins: this.#twins(wanted), reported };
    const reply = await this.post<ExchangeReply>('exchange', request);
    for (const { client, version } of reported) twinStore.synced(client, version);
    return reply;
  }

  #twins(wanted: ReadonlySet<string>): TwinState[] {
    const { twinStore, config } = this.#parts();
    const modules = Object.keys(config.desired).map((name) => `${config.deviceId}/${name}`);
    return [...new Set([...twinStore.clients(), ...modules])].map((client) => {
      const { desired, desiredVersion } = twinStore.get(client);
      const state = { client, deployment: twinStore.deployment(client), desiredVersion };
      return wanted.has(client) ? { ...state, desired } : state;
    });
  }

  #take(reply: ExchangeReply): void {
    const { twinStore, twins } = this.#parts();
    for (const { client, desired, version } of reply.desired) {
      const change = twinStore.adopt(client, desired, version);
      if (change !== undefined) twins.push(change);
    }
    for (const { id, client, call } of reply.calls) {
      this.#parts().metrics.count('edgehub_direct_methods_total', { to: client });
      this.#parts()
        .methods.call(client, call)
        .then(
          (answer) => this.#answer(id, { ok: true, reply: answer }),
          (error: HubError) =>
            this.#answer(id, { ok: false, status: error.status, message: error.message }),
        );
    }
  }

  #answer(id: string, outcome: MethodOutcome): void {
    this.post(`methods/${id}`, outcome).catch((error: Error) =>
      this.#parts().log('warn', 'The result of a direct method did not reach the cloud', {
        detail: error.message,
      }),
    );
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
