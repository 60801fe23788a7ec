/**
 * How a module talks to the other modules and to whoever configures it.
 *
 * The guarantee, for every adapter:
 * - **Inbound.** A handler is called once a delivery, in order per input, and runs synchronously. The message is
 *   acknowledged only after the handler has returned, so whatever it committed is durable before the sender's copy
 *   goes. What a handler does later (a promise, a timer, a worker) is not covered: the message is then already
 *   acknowledged. A handler that throws ends the process through `onFatal`; the message comes again.
 *   A handler that cannot take a message now, because its store is full, returns `'later'`: the message is not
 *   acknowledged and comes again. MQTT has no word for that and the hub gives a module one message at a time over all
 *   its inputs, so the connection is cut and made anew; the hub tries that input again with growing pauses, and the
 *   others go on meanwhile.
 *   Before the handler returns the hub owns the message, after it this module does.
 * - **Outbound.** `send` resolves when the other side has stored the message for every route that matches. Until
 *   then the caller owns it, and may send it again: a message can arrive twice, never silently not at all.
 *   Two sends that are not awaited one after the other may arrive in any order.
 */
export interface Transport {
  readonly state: TransportState;
  /** Connects and keeps connected; resolves at the first connection. Call once. Rejects only after `close`. */
  start(handlers: TransportHandlers): Promise<void>;
  /** @throws TransportError; `retry` says whether to try again. */
  send(message: OutboundMessage): Promise<void>;
  /** Merges a patch into the reported properties. Null deletes. @throws TransportError */
  report(patch: Record<string, unknown>): Promise<void>;
  /** Stops taking input, lets sends under way finish for at most `timeoutMs`, disconnects. Idempotent. */
  close(timeoutMs?: number): Promise<void>;
}

export type TransportState = 'connecting' | 'connected' | 'disconnected' | 'closed';

export interface InboundMessage {
  readonly input: string;
  readonly body: Buffer;
  /** Application properties without those that begin with `$.`. */
  readonly properties: Readonly<Record<string, string>>;
  /** As set by the sender; the same after redelivery. */
  readonly messageId?: string;
  readonly contentType?: string;
  /** Module id of the sender, or device id of a leaf device, where the hub says so. */
  readonly sender?: string;
}

export interface OutboundMessage {
  readonly output: string;
  /** A string, not a Buffer: see docs/decisions. At most MESSAGE_BYTES_MAX bytes of UTF-8. */
  readonly body: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly messageId?: string;
}

/** Must commit before it returns. What it returns is looked at for `'later'` only; see above. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing is the usual one.
export type MessageHandler = (message: InboundMessage) => void | 'later';

export interface MethodResult {
  /** HTTP-like, never 0. */
  status: number;
  payload: unknown;
}
export type MethodHandler = (payload: unknown) => MethodResult | Promise<MethodResult>;

export interface TransportHandlers {
  inputs: Readonly<Record<string, MessageHandler>>;
  methods: Readonly<Record<string, MethodHandler>>;
  /** The whole desired document, at each connection and each change. */
  onDesired(desired: Record<string, unknown>, version: number): void;
  onState?(state: TransportState): void;
  /** The transport cannot go on: end the process with an error, the supervisor starts it anew. */
  onFatal(error: Error): void;
}
