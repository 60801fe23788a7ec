import type { OutboundMessage, TransportState } from '../port.ts';

/** What one life of the module under test has seen. */
export interface ProbeEvents {
  states: TransportState[];
  desired: { document: Record<string, unknown>; version: number }[];
  fatal: string[];
}

/** What the handler of input `in` has committed, over all lives. */
export interface Committed {
  body: string;
  messageId?: string;
  properties: Record<string, string>;
  contentType?: string;
  sender?: string;
}

/**
 * One life of a module called `probe`: its transport with handlers for input `in` (commits the body, or throws, or
 * answers `'later'` to the first two deliveries of a body that contains `not now`) and for the methods `echo` (200, the payload), `later` (the same after a turn) and `broken` (throws).
 */
export interface Probe {
  events(): Promise<ProbeEvents>;
  send(message: OutboundMessage): Promise<void>;
  report(patch: Record<string, unknown>): Promise<void>;
  close(): Promise<void>;
  /** Ends without a goodbye. */
  kill(): Promise<void>;
  /** The handler throws, before it commits, on a body that contains this text. */
  failOn(text: string): Promise<void>;
}

/** A hub with the routes `probe/out -> probe/in` and `probe/parked -> absent/in`, where `absent` never connects. */
export interface ConformanceHub {
  /** Starts a life of the probe; does not wait for its connection. */
  probe(): Promise<Probe>;
  committed(): Promise<Committed[]>;
  /** Replaces these desired properties of the probe; null deletes one. */
  desire(patch: Record<string, unknown>): Promise<void>;
  reported(): Promise<Record<string, unknown>>;
  invoke(method: string, payload: unknown): Promise<{ status: number; payload: unknown }>;
  /** Cuts the probe's connection; it may come back at once. */
  disconnect(): Promise<void>;
  /** The hub goes, without a goodbye, and keeps its store. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Messages that wait for a module. */
  queued(module: 'probe' | 'absent'): Promise<number>;
  close(): Promise<void>;
}
