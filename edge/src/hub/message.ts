import type { MessageProperties } from './topics.ts';

/** The cloud's queue. Module endpoints are called `<module>/<input>`. */
export const UPSTREAM = '$upstream';

/** Best first, as in routes; a route without one has the last. */
export const PRIORITY_DEFAULT = 9;

/** Largest message, body plus properties, in bytes: the limit of IoT Hub and of edge hub. */
export const MESSAGE_BYTES_MAX = 262_144;

/** A message as it was taken in; the same for every endpoint that it goes to. */
export interface HubMessage {
  /** See RoutableMessage.source. */
  source: string;
  properties: MessageProperties;
  body: Buffer;
}

/** One message that stands in one queue. */
export interface QueueEntry {
  /** Of the message; ascending in the order in which messages were committed. */
  readonly messageId: number;
  /** Wall clock; fixed when the message was stored. Undefined: for ever. */
  readonly expiresMs: number | undefined;
  readonly enqueuedMs: number;
}

/** Where a message goes: one per endpoint, at the best priority of the routes that matched. */
export interface Destination {
  endpoint: string;
  priority: number;
  /** Undefined: for ever. */
  timeToLiveMs: number | undefined;
}

/** Bytes that count towards the limit. */
export function sizeOf(message: HubMessage): number {
  let size = message.body.length;
  for (const properties of [message.properties.system, message.properties.application]) {
    for (const [key, value] of Object.entries(properties)) size += key.length + value.length;
  }
  return size;
}
