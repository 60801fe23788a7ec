/** Sends a journal to its end with the product's own pumps, to a forwarder that applies by position. */
import {
  LOST_PROPERTY,
  type LostRange,
  ReadingsMessage,
  readLostRanges,
} from '@holdfast/contracts';
import type { Journal } from '@holdfast/journal';
import { StreamReceiver } from '@holdfast/stream';
import type { Seeded } from '@holdfast/testkit';
import type { OutboundMessage } from '@holdfast/transport';
import { skippedParts } from '../../../modules/forwarder/src/domain/skipped-parts.ts';
import { StreamPump } from '../../../modules/ingest/src/stream-pump.ts';
import type { JournalImage } from './journal-image.ts';

export interface Applied {
  stream: string;
  epoch: string;
  seq: number;
  value: number;
}

export interface RecordedGap {
  stream: string;
  epoch: string;
  first: number;
  last: number;
  /** Undefined: taken for rows of a lost store, which there was none. */
  reason: string | undefined;
}

const nothing = (): void => undefined;

/** A forwarder that stands where it stood before the damage was done. */
export class ModelForwarder {
  readonly applied: Applied[] = [];
  readonly gaps: RecordedGap[] = [];
  readonly #receiver: StreamReceiver<ReadingsMessage>;

  constructor(image: JournalImage) {
    const positions = image.streams.map(({ epoch, applied }, partition) => ({
      stream: `ingest-${partition}`,
      epoch,
      through: applied,
    }));
    this.#receiver = new StreamReceiver<ReadingsMessage>({ parkedMax: 16 }, positions);
  }

  take({ body, properties }: OutboundMessage) {
    const message = ReadingsMessage.parse(JSON.parse(body));
    const lost: LostRange[] = readLostRanges(properties?.[LOST_PROPERTY]) ?? [];
    const { stream, epoch } = message;
    const { skipped, apply } = this.#receiver.offer(message);
    if (skipped !== undefined) {
      for (const { first, last, lost: reason } of skippedParts(skipped, lost)) {
        this.gaps.push({ stream, epoch, first, last, reason });
      }
    }
    for (const { batch, from } of apply) this.#apply(batch, from);
    this.#receiver.committed();
    return this.#receiver.takeReceipts();
  }

  /** As the property of receipts has it. */
  recorded(stream: string, epoch: string): { first: number; last: number }[] {
    return this.gaps.filter(
      (gap) => gap.stream === stream && gap.epoch === epoch && gap.reason !== undefined,
    );
  }

  #apply({ stream, epoch, assets }: ReadingsMessage, from: number): void {
    for (const { seq, values } of assets) {
      seq.forEach((number, row) => {
        if (number < from) return;
        this.applied.push({ stream, epoch, seq: number, value: values[0]![row] as number });
      });
    }
  }
}

/**
 * Runs until nothing is in flight, over a hub that loses some messages and then connects anew.
 * @throws what would have ended the process, and when it stands still
 */
export async function drain(
  journal: Journal,
  forwarder: ModelForwarder,
  random: Seeded,
): Promise<void> {
  let failure: Error | undefined;
  const failed = (error: Error): void => {
    failure ??= error;
  };
  const pumps: StreamPump[] = [];
  const ports = {
    journal,
    clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
    log: { error: nothing, warn: nothing, info: nothing, debug: nothing },
    connected: () => true,
    onSent: nothing,
    fatal: (error: Error): never => {
      failed(error);
      throw error;
    },
    send: async (message: OutboundMessage) => {
      if (random.chance(0.1)) {
        // Others have gone out by then.
        setTimeout(() => {
          for (const pump of pumps) pump.connected();
        }, 3);
        return;
      }
      const receipts = forwarder.take(message);
      setImmediate(() => {
        for (const receipt of receipts) {
          const pump = pumps.find(({ stream }) => stream.stream === receipt.stream);
          pump?.receipt(receipt, forwarder.recorded(receipt.stream, receipt.epoch));
        }
      });
    },
  };
  for (const { partition } of journal.streams) {
    pumps.push(new StreamPump(partition, ports, { credit: 4, lingerMs: 0 }));
  }
  process.on('uncaughtException', failed);
  for (const pump of pumps) pump.wake();
  const end = performance.now() + 20_000;
  try {
    while (journal.backlog().readings > 0 && failure === undefined) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (performance.now() > end) {
        throw new Error(`the streams stand still: ${JSON.stringify(pumps.map((p) => p.status))}`);
      }
    }
    if (failure !== undefined) throw failure;
  } finally {
    for (const pump of pumps) pump.stop();
    // Steps that were queued before the stop.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('uncaughtException', failed);
  }
}
