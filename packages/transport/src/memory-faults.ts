/** Probabilities are 0 to 1, each drawn from the hub's own source of randomness. */
export interface MemoryFaults {
  /** The message never arrives and the sender is told so (timeout). */
  loseSend: number;
  /** The message arrives, its acknowledgement does not: the sender is told timeout and will send again. */
  loseAcknowledgement: number;
  /** Acknowledged, then gone for one route, as when a time to live ends or an unsafe disk loses power. */
  drop: number;
  /** Delivered twice. */
  duplicate: number;
  /** Overtakes some of the messages that wait, although the sends were awaited one by one. */
  reorder: number;
  /** Time on the way, each way. */
  delayMs: { min: number; max: number };
  /** Pause before a lost connection is tried again. */
  reconnectMs: number;
}

export const cleanFaults = (): MemoryFaults => ({
  loseSend: 0,
  loseAcknowledgement: 0,
  drop: 0,
  duplicate: 0,
  reorder: 0,
  delayMs: { min: 0, max: 0 },
  reconnectMs: 1,
});
