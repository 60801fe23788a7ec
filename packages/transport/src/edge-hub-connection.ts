import { randomUUID } from 'node:crypto';
import { bytesOf, type GuardedMqtt, guardedMqtt } from './acknowledgement.ts';
import type { TransportLog } from './create.ts';
import type { EdgeHubTiming } from './edge-hub.ts';
import type { InboundMessage, MessageHandler, OutboundMessage, TransportHandlers } from './port.ts';
import type { Message, ModuleClient, Sdk } from './sdk.ts';
import { fromSdkError, notConnectedError, within } from './sdk-errors.ts';
import { TwinLink } from './twin-link.ts';

interface ConnectionParts {
  sdk: Sdk;
  handlers: TransportHandlers;
  timing: EdgeHubTiming;
  log: TransportLog;
}

/**
 * One client of the SDK from `open` to its first disconnection. It never reconnects: the SDK's own reconnection
 * gives up after four minutes and leaves twin topics without a subscription, so every disconnection, whatever its
 * cause, ends this object and its owner makes another.
 */
export class EdgeHubConnection {
  /** Resolves with the reason once the connection is gone, for whatever reason. */
  readonly lost: Promise<string>;
  readonly twin: TwinLink;
  readonly #parts: ConnectionParts;
  readonly #client: ModuleClient;
  readonly #mqtt: GuardedMqtt;
  readonly #failPending = new Set<(error: Error) => void>();
  readonly #sending = new Set<Promise<void>>();
  #reportLost: (reason: string) => void = () => {};
  #isLost = false;

  private constructor(parts: ConnectionParts, client: ModuleClient, mqtt: GuardedMqtt) {
    this.#parts = parts;
    this.#client = client;
    this.#mqtt = mqtt;
    this.lost = new Promise((resolve) => {
      this.#reportLost = resolve;
    });
    this.twin = new TwinLink({
      client,
      timing: parts.timing,
      log: parts.log,
      onDesired: parts.handlers.onDesired,
      onFatal: parts.handlers.onFatal,
      onDead: (reason) => this.end(reason),
    });
  }

  /** @throws the SDK's error, or TRANSPORT_TIMEOUT */
  static async open(parts: ConnectionParts): Promise<EdgeHubConnection> {
    const mqtt = guardedMqtt(parts.sdk, { keepaliveSecs: parts.timing.keepaliveSecs });
    try {
      return await within(openClient(parts, mqtt), parts.timing.openTimeoutMs, 'connecting');
    } catch (error) {
      mqtt.retire();
      throw error;
    }

    async function openClient(given: ConnectionParts, guarded: GuardedMqtt) {
      const client = await given.sdk.ModuleClient.fromEnvironment(guarded.transport);
      client.setRetryPolicy(new given.sdk.NoRetry());
      const connection = new EdgeHubConnection(given, client, guarded);
      client.on('error', (error: Error) => connection.end(error.message));
      client.on('disconnect', (result?: { transportObj?: Error }) =>
        connection.end(result?.transportObj?.message ?? 'the hub closed the connection'),
      );
      await client.open();
      return connection;
    }
  }

  /** Subscribes to inputs, methods and twin. From here on handlers are called. */
  listen(): void {
    const { handlers } = this.#parts;
    for (const [name, handler] of Object.entries(handlers.methods)) {
      this.#client.onMethod(name, async (request, response) => {
        const { status, payload } = await answer(() => handler(request?.payload));
        response?.send(status, payload, (error?: Error) => {
          if (error) this.#parts.log.debug('A method was answered too late', { method: name });
        });
      });
    }
    this.#client.on('inputMessage', (input: string, message: Message) => {
      // Not handled is not acknowledged: it comes again over the next connection.
      if (this.#isLost) return;
      if (this.#handle(input, message) === 'later') {
        this.end('a message cannot be taken now, it stays with the hub');
        return;
      }
      this.#mqtt.handled();
    });
    this.twin.start();
  }

  /** Resolves on the hub's acknowledgement. @throws TransportError */
  async send(message: OutboundMessage): Promise<void> {
    if (this.#isLost) throw notConnectedError();
    const sending = this.#send(message);
    this.#sending.add(sending);
    try {
      await sending;
    } catch (error) {
      const failure = fromSdkError(error);
      // A hub that stays silent is a link that is dead; a new connection finds out.
      if (failure.code === 'TRANSPORT_TIMEOUT') this.end('a message was not acknowledged in time');
      throw failure;
    } finally {
      this.#sending.delete(sending);
    }
  }

  /** Waits until all sends have come to an end, at most so long. */
  async drained(timeoutMs: number): Promise<void> {
    await within(Promise.allSettled(this.#sending), timeoutMs, 'sends').catch(() => {});
  }

  /**
   * Disconnects properly if that is quick; otherwise cuts. With a send under way the SDK would wait for its answer
   * before it disconnects, so then there is nothing to wait for.
   */
  async close(reason: string): Promise<void> {
    if (!this.#isLost && this.#sending.size === 0) {
      await within(this.#client.close(), CLOSE_TIMEOUT_MS, 'closing').catch(() => {});
    }
    this.end(reason);
  }

  /** Cuts the connection and fails what is under way. */
  end(reason: string): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.twin.stop();
    for (const fail of this.#failPending) fail(notConnectedError(reason));
    this.#failPending.clear();
    this.#mqtt.retire();
    this.#reportLost(reason);
  }

  #send(outbound: OutboundMessage): Promise<void> {
    const message = new this.#parts.sdk.Message(outbound.body);
    message.messageId = outbound.messageId ?? randomUUID();
    message.contentType = 'application/json';
    message.contentEncoding = 'utf-8';
    for (const [name, value] of Object.entries(outbound.properties ?? {})) {
      message.properties.add(name, value);
    }
    // The SDK builds JSON of the whole message for a debug line, debugging or not.
    Object.assign(message, { toJSON: () => ({ messageId: message.messageId }) });
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(
          Object.assign(new Error('no acknowledgement from the hub'), { name: 'TimeoutError' }),
        );
      }, this.#parts.timing.sendTimeoutMs);
      this.#failPending.add(reject);
      this.#client
        .sendOutputEvent(outbound.output, message)
        .then(() => resolve(), reject)
        .finally(() => {
          clearTimeout(timer);
          this.#failPending.delete(reject);
        });
    });
  }

  /** Runs synchronously inside the SDK's event, so a commit made here comes before the acknowledgement. */
  #handle(input: string, message: Message): ReturnType<MessageHandler> {
    const { handlers, log } = this.#parts;
    const handler = handlers.inputs[input];
    if (handler === undefined) {
      log.warn('A message for an input that this module does not have was dropped', { input });
      return;
    }
    try {
      return handler(inboundOf(input, message));
    } catch (error) {
      handlers.onFatal(error as Error);
      throw error;
    }
  }
}

/** For the hub to take the goodbye; without it nothing is lost. */
const CLOSE_TIMEOUT_MS = 2_000;

async function answer(run: () => unknown): Promise<{ status: number; payload: unknown }> {
  try {
    const { status, payload } = (await run()) as { status: number; payload: unknown };
    return { status, payload: payload ?? null };
  } catch (error) {
    return { status: 500, payload: { message: (error as Error).message } };
  }
}

function inboundOf(input: string, message: Message): InboundMessage {
  const properties: Record<string, string> = {};
  let sender: string | undefined;
  let device: string | undefined;
  for (const { key, value } of message.properties.propertyList) {
    if (key === '$.cmid') sender = value;
    else if (key === '$.cdid') device = value;
    if (!key.startsWith('$.')) properties[key] = value;
  }
  sender ??= device;
  return {
    input,
    body: bytesOf(message.getBytes()),
    properties,
    ...(message.messageId ? { messageId: message.messageId } : {}),
    ...(message.contentType ? { contentType: message.contentType } : {}),
    ...(sender === undefined ? {} : { sender }),
  };
}
