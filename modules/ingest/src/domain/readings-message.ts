import { MESSAGE_BYTES_MAX, type ReadingsMessage } from '@holdfast/contracts';

/** Bytes of one entry of `want`: a sequence number of at most 16 digits and a comma. */
const WANT_ENTRY_BYTES = 17;

/** Sequence numbers with a waiting request in one message; what is beyond is answered as applied, without score. */
export const WANT_MAX = 2_000;

/** What a batch of `wanted` waiting rows may take, so that the whole message stays within its limit. */
export const batchBytesMax = (wanted: number): number =>
  MESSAGE_BYTES_MAX - 64 - Math.min(wanted, WANT_MAX) * WANT_ENTRY_BYTES;

/** The parts of a readings message that are not in the batch. */
export interface MessageFrame {
  stream: string;
  epoch: string;
  base: number;
  lookback: number;
  want: readonly number[];
}

/** A batch as a readings message. The columns of the journal go into the text as they are. */
export function readingsMessageOf(
  frame: MessageFrame,
  batch: Pick<ReadingsMessage, 'first' | 'last' | 'acceptedMs' | 'assets'>,
): string {
  const message: ReadingsMessage = {
    v: 1,
    kind: 'readings',
    stream: frame.stream,
    epoch: frame.epoch,
    first: batch.first,
    last: batch.last,
    base: frame.base,
    lookback: frame.lookback,
    acceptedMs: batch.acceptedMs,
    assets: batch.assets,
  };
  if (frame.want.length > 0) message.want = frame.want.slice(0, WANT_MAX);
  return JSON.stringify(message);
}
