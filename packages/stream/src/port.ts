/**
 * What the two ends of a stream are built on. The state machines in this package are pure: no clock, no
 * randomness, no I/O; time comes in as monotonic milliseconds.
 */

/** A position in one life of one stream. */
export interface StreamPosition {
  stream: string;
  epoch: string;
}

/** Sequence numbers `first..last`, both included. */
export interface SequenceRange {
  first: number;
  last: number;
}
