import type { TransportLog } from './create.ts';
import { EdgeHubConnection } from './edge-hub-connection.ts';
import { checkSize } from './outbound.ts';
import type { OutboundMessage, Transport, TransportHandlers, TransportState } from './port.ts';
import { loadSdk } from './sdk.ts';
import { closedError, notConnectedError } from './sdk-errors.ts';

/** Limits of the edge hub adapter, in ms where nothing else is said. */
export interface EdgeHubTiming {
  /** Pause before the second attempt to connect; doubles up to the maximum, with up to half taken off at random. */
  reconnectMinMs: number;
  reconnectMaxMs: number;
  /** For workload API, TLS and CONNACK together. */
  openTimeoutMs: number;
  twinTimeoutMs: number;
  /** How often the twin is read without being told to. */
  probeEveryMs: number;
  /** Without an acknowledgement for so long, a send fails and the connection is made anew. */
  sendTimeoutMs: number;
  /** A new client with a new token: before the SDK's own renewal at 45 minutes, which loses subscriptions. */
  renewEveryMs: number;
  /** How long a renewal waits for sends under way. */
  renewDrainMs: number;
  /** A dead link shows after twice this time even if nothing is sent; a hub waits for one and a half times. */
  keepaliveSecs: number;
}

export const EDGE_HUB_TIMING: EdgeHubTiming = {
  reconnectMinMs: 250,
  reconnectMaxMs: 15_000,
  openTimeoutMs: 30_000,
  twinTimeoutMs: 10_000,
  probeEveryMs: 60_000,
  sendTimeoutMs: 30_000,
  renewEveryMs: 40 * 60_000,
  renewDrainMs: 5_000,
  keepaliveSecs: 20,
};

const EDGE_VARIABLES = [
  'IOTEDGE_WORKLOADURI',
  'IOTEDGE_DEVICEID',
  'IOTEDGE_MODULEID',
  'IOTEDGE_IOTHUBHOSTNAME',
  'IOTEDGE_AUTHSCHEME',
  'IOTEDGE_MODULEGENERATIONID',
] as const;

/** What the SDK will look for in the environment and not find; empty when a connection can be tried. */
export function missingEdgeVariables(environment: NodeJS.ProcessEnv): string[] {
  if (environment.EdgeHubConnectionString || environment.IotHubConnectionString) return [];
  return EDGE_VARIABLES.filter((name) => !environment[name]);
}

/**
 * The transport port on the edge hub, by the Azure IoT SDK over MQTT.
 *
 * States: `connecting` until the first connection (a hub that is not there yet, a refused token and an unknown
 * module all look alike, so all are tried again for ever); `connected`; `disconnected` after a loss, trying again
 * with growing pauses and without end; `closed`. While a token is renewed the state stays `connected` and sends wait.
 */
export class EdgeHubTransport implements Transport {
  readonly #timing: EdgeHubTiming;
  readonly #log: TransportLog;
  #state: TransportState = 'connecting';
  #handlers: TransportHandlers | undefined;
  #connection: EdgeHubConnection | undefined;
  #renewing: Promise<void> | undefined;
  /** Lets the sends go on that wait for a renewal. */
  #renewed: () => void = () => {};
  #wake: () => void = () => {};

  constructor(options: { log: TransportLog; timing?: Partial<EdgeHubTiming> }) {
    this.#log = options.log;
    this.#timing = { ...EDGE_HUB_TIMING, ...options.timing };
  }

  get state(): TransportState {
    return this.#state;
  }

  start(handlers: TransportHandlers): Promise<void> {
    this.#handlers = handlers;
    return new Promise((resolve, reject) => {
      this.#run(resolve).then(
        () => reject(closedError()),
        (error: Error) => handlers.onFatal(error),
      );
    });
  }

  async send(message: OutboundMessage): Promise<void> {
    checkSize(message);
    if (this.#renewing !== undefined) await this.#renewing;
    await this.#current().send(message);
  }

  async report(patch: Record<string, unknown>): Promise<void> {
    if (this.#renewing !== undefined) await this.#renewing;
    await this.#current().twin.report(patch);
  }

  async close(timeoutMs = 5_000): Promise<void> {
    if (this.#state === 'closed') return;
    const connection = this.#connection;
    await connection?.drained(timeoutMs);
    this.#setState('closed');
    this.#renewed();
    await connection?.close('closed');
    this.#wake();
  }

  #current(): EdgeHubConnection {
    if (this.#state === 'closed') throw closedError();
    if (this.#state !== 'connected' || this.#connection === undefined) throw notConnectedError();
    return this.#connection;
  }

  /** Connects, waits for the end of the connection, connects again; until closed. */
  async #run(firstConnection: () => void): Promise<void> {
    const handlers = this.#handlers as TransportHandlers;
    const sdk = await loadSdk();
    let failures = 0;
    while (this.#state !== 'closed') {
      try {
        this.#connection = await EdgeHubConnection.open({
          sdk,
          handlers,
          timing: this.#timing,
          log: this.#log,
        });
      } catch (error) {
        this.#renewed();
        this.#setState(this.#state === 'connecting' ? 'connecting' : 'disconnected');
        this.#reportFailure(error as Error, ++failures);
        await this.#pause(failures);
        continue;
      }
      if (this.#isClosed()) {
        await this.#connection.close('closed');
        return;
      }
      failures = 0;
      this.#setState('connected');
      this.#connection.listen();
      this.#renewed();
      firstConnection();
      await this.#lifeOf(this.#connection);
    }
  }

  /** Returns when the connection is over: lost, closed, or put aside for a new token. */
  async #lifeOf(connection: EdgeHubConnection): Promise<void> {
    let renew: NodeJS.Timeout | undefined;
    const due = new Promise<'renew'>((resolve) => {
      renew = setTimeout(() => resolve('renew'), this.#timing.renewEveryMs);
      renew.unref();
    });
    const end = await Promise.race([due, connection.lost.then((reason) => ({ reason }))]);
    clearTimeout(renew);
    if (this.#isClosed()) return;
    if (end !== 'renew') {
      this.#log.info('The connection to the hub ended', end);
      this.#setState('disconnected');
      return;
    }
    let resume: () => void = () => {};
    this.#renewing = new Promise((resolve) => {
      resume = resolve;
    });
    this.#renewed = () => {
      this.#renewing = undefined;
      this.#renewed = () => {};
      resume();
    };
    await connection.drained(this.#timing.renewDrainMs);
    await connection.close('a new token is due');
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #reportFailure(error: Error, failures: number): void {
    const fields = { message: error.message, attempts: failures };
    // The first one, and then about one in five minutes.
    if (failures % 20 === 1) this.#log.warn('No connection to the hub yet, trying again', fields);
    else this.#log.debug('No connection to the hub yet, trying again', fields);
  }

  #pause(failures: number): Promise<void> {
    const full = Math.min(
      this.#timing.reconnectMinMs * 2 ** Math.min(failures - 1, 20),
      this.#timing.reconnectMaxMs,
    );
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, full * (0.5 + Math.random() / 2));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #setState(state: TransportState): void {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    this.#handlers?.onState?.(state);
  }
}
