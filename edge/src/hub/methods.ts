import { HubError } from './errors.ts';

export interface MethodCall {
  methodName: string;
  payload?: unknown;
  /** 0 to 300; how long to wait for the module to be there. @default 0 */
  connectTimeoutInSeconds?: number;
  /** 5 to 300. @default 30 */
  responseTimeoutInSeconds?: number;
}

export interface MethodReply {
  status: number;
  payload: unknown;
}

export interface MethodPorts {
  newId(): string;
  /** Connected and listening to methods. */
  isListening(client: string): boolean;
  publish(client: string, topic: string, body: string): void;
}

const NAME_LENGTH_MAX = 100;
/** Bytes of JSON. */
const PAYLOAD_BYTES_MAX = 128 * 1_024;

interface Waiting {
  client: string;
  resolve(reply: MethodReply): void;
  reject(error: HubError): void;
  timer: NodeJS.Timeout;
}

interface Queued {
  client: string;
  start(): void;
}

/**
 * Direct method calls. States of a call: *queued* (its module is away, until the connect timeout: 404), *waiting*
 * (published, until the response timeout: 504), *answered*.
 */
export class DirectMethods {
  readonly #ports: MethodPorts;
  readonly #waiting = new Map<string, Waiting>();
  #queued: Queued[] = [];

  constructor(ports: MethodPorts) {
    this.#ports = ports;
  }

  /** @throws HubError HUB_BAD_REQUEST, HUB_NOT_FOUND, HUB_GATEWAY_TIMEOUT */
  async call(client: string, call: MethodCall): Promise<MethodReply> {
    checkCall(call);
    const connectSecs = call.connectTimeoutInSeconds ?? 0;
    if (!this.#ports.isListening(client)) {
      if (connectSecs === 0) throw notFound(client);
      await this.#becomesAvailable(client, connectSecs * 1_000);
    }
    return this.#publish(client, call);
  }

  /** The module has subscribed to methods. */
  available(client: string): void {
    const [ready, others] = partition(this.#queued, (queued) => queued.client === client);
    this.#queued = others;
    for (const queued of ready) queued.start();
  }

  /** False when nobody waits for this answer (any more). */
  answer(client: string, rid: string, status: number, body: Buffer): boolean {
    const waiting = this.#waiting.get(rid);
    if (waiting === undefined || waiting.client !== client) return false;
    this.#waiting.delete(rid);
    clearTimeout(waiting.timer);
    waiting.resolve({ status, payload: parse(body) });
    return true;
  }

  close(): void {
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new HubError('HUB_UNAVAILABLE', 'the hub is stopping'));
    }
    this.#waiting.clear();
  }

  #becomesAvailable(client: string, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const queued: Queued = {
        client,
        start: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      const timer = setTimeout(() => {
        this.#queued = this.#queued.filter((other) => other !== queued);
        reject(notFound(client));
      }, timeoutMs);
      timer.unref();
      this.#queued.push(queued);
    });
  }

  #publish(client: string, call: MethodCall): Promise<MethodReply> {
    const rid = this.#ports.newId();
    return new Promise((resolve, reject) => {
      const timeoutSecs = call.responseTimeoutInSeconds ?? 30;
      const timer = setTimeout(() => {
        this.#waiting.delete(rid);
        reject(
          new HubError(
            'HUB_GATEWAY_TIMEOUT',
            `${client} did not answer ${call.methodName} in ${timeoutSecs} s`,
          ),
        );
      }, timeoutSecs * 1_000);
      timer.unref();
      this.#waiting.set(rid, { client, resolve, reject, timer });
      const topic = `$iothub/methods/POST/${call.methodName}/?$rid=${rid}`;
      this.#ports.publish(client, topic, JSON.stringify(call.payload ?? null));
    });
  }
}

function checkCall(call: MethodCall): void {
  const refuse = (text: string): never => {
    throw new HubError('HUB_BAD_REQUEST', text);
  };
  const name = call.methodName;
  if (typeof name !== 'string' || name === '' || name.length > NAME_LENGTH_MAX) {
    refuse(`methodName must have 1 to ${NAME_LENGTH_MAX} characters`);
  }
  if (/[/#+]/.test(name)) refuse('methodName must not contain / # +');
  if (Buffer.byteLength(JSON.stringify(call.payload ?? null)) > PAYLOAD_BYTES_MAX) {
    refuse(`payload must have at most ${PAYLOAD_BYTES_MAX} bytes of JSON`);
  }
  const within = (value: number | undefined, least: number): boolean =>
    value === undefined || (Number.isFinite(value) && value >= least && value <= 300);
  if (!within(call.responseTimeoutInSeconds, 5))
    refuse('responseTimeoutInSeconds must be 5 to 300');
  if (!within(call.connectTimeoutInSeconds, 0)) refuse('connectTimeoutInSeconds must be 0 to 300');
}

const notFound = (client: string): HubError =>
  new HubError('HUB_NOT_FOUND', `${client} is not connected or does not listen to methods`);

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  const yes: T[] = [];
  const no: T[] = [];
  for (const item of items) (test(item) ? yes : no).push(item);
  return [yes, no];
}

function parse(body: Buffer): unknown {
  if (body.length === 0) return null;
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return body.toString('utf8');
  }
}
