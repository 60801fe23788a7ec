import type { MethodCall, MethodReply } from './methods.ts';
import type { MessageProperties } from './topics.ts';
import type { Document } from './twin-rules.ts';

/** What hub and cloud stand-in say to each other: JSON over HTTPS, always asked by the hub. */

/** `POST messages`: in order; the cloud takes each id once. */
export interface MessagesRequest {
  messages: UpstreamMessage[];
}
export interface UpstreamMessage {
  /** Edge message id: the same whenever the message is sent again. */
  id: string;
  properties: MessageProperties;
  /** Base64. */
  body: string;
  enqueuedMs: number;
}
export interface MessagesReply {
  accepted: number;
  duplicates: number;
}

/** `POST exchange`: what has changed here against what has changed there. */
export interface ExchangeRequest {
  /** How long the cloud may wait for something to say, in ms. */
  waitMs: number;
  twins: TwinState[];
  /** Reported sections that the cloud does not have yet. */
  reported: { client: string; reported: Document; version: number }[];
}
export interface TwinState {
  client: string;
  /** Digest of the deployment that set the desired properties; '' for none. */
  deployment: string;
  desiredVersion: number;
  /** Sent only when the hub thinks that the cloud does not know this deployment. */
  desired?: Document;
}
export interface ExchangeReply {
  /** Desired sections that differ from what the hub has. */
  desired: { client: string; desired: Document; version: number }[];
  /** Clients whose `desired` the cloud wants to see, because it does not know the deployment. */
  wanted: string[];
  calls: { id: string; client: string; call: MethodCall }[];
}

/** `POST methods/<id>`. */
export type MethodOutcome =
  | { ok: true; reply: MethodReply }
  | { ok: false; status: number; message: string };
