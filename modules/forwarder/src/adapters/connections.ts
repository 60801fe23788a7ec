import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { RequestPolicy, RequestPolicyFactory } from '@azure/storage-blob';

/**
 * - An idle connection is dropped after half a minute: routers on the way forget it, and what they forget hangs.
 * - TCP asks on an idle connection after 10 s whether the other side is still there.
 * - A host with several addresses gets 2 s for each: Node's own 250 ms are less than one round trip by satellite.
 */
const OPTIONS = {
  keepAlive: true,
  keepAliveMsecs: 10_000,
  maxFreeSockets: 2,
  timeout: 30_000,
  autoSelectFamilyAttemptTimeout: 2_000,
} as const;

/** The connections to one store, which can be told to forget those that may have died without a word. */
export class Connections {
  readonly #http = new HttpAgent(OPTIONS);
  readonly #https = new HttpsAgent(OPTIONS);

  /** Makes requests use these connections, except those that go by a proxy. */
  get policy(): RequestPolicyFactory {
    return {
      create: (next: RequestPolicy): RequestPolicy => ({
        sendRequest: (request) => {
          const secure = request.url.startsWith('https:');
          request.agent ??= secure ? this.#https : this.#http;
          return next.sendRequest(request);
        },
      }),
    };
  }

  /** Closes all idle connections, so that the next request does not try them one after the other. */
  forgetIdle(): void {
    for (const { freeSockets } of [this.#http, this.#https]) {
      for (const sockets of Object.values(freeSockets)) {
        for (const socket of [...(sockets ?? [])]) socket.destroy();
      }
    }
  }
}
