import type { MessagesReply, MessagesRequest, UpstreamMessage } from './cloud-protocol.ts';
import { senderOf } from './deliveries.ts';
import type { EndpointQueue } from './endpoint-queue.ts';
import { isExpired } from './endpoint-queue.ts';
import type { HubParts } from './hub.ts';
import type { QueueEntry } from './message.ts';

/** Messages in one request. */
const BATCH_COUNT_MAX = 100;
/** Bytes of bodies in one request: bounds memory, as everything is held twice meanwhile. */
const BATCH_BYTES_MAX = 1_000_000;

interface Batch {
  queue: EndpointQueue;
  entries: QueueEntry[];
  messages: UpstreamMessage[];
}

/**
 * Sends what stands in the queues of `$upstream`, one request at a time, best priority first, oldest first. A
 * batch is settled when the cloud has stored it; a repeated one is recognised there by message id. While the
 * link is down nothing is taken: `CloudLink` looks for the cloud, and wakes this.
 */
export class UpstreamSender {
  readonly #parts: () => HubParts;
  #sending = false;

  constructor(parts: () => HubParts) {
    this.#parts = parts;
  }

  wake(): void {
    if (this.#sending || !this.#parts().link.up) return;
    const batch = this.#takeBatch();
    if (batch === undefined) return;
    this.#sending = true;
    void this.#send(batch).finally(() => {
      this.#sending = false;
      this.wake();
    });
  }

  async #send(batch: Batch): Promise<void> {
    const { link, queues, log } = this.#parts();
    try {
      const request: MessagesRequest = { messages: batch.messages };
      await link.post<MessagesReply>('messages', request);
      for (const entry of batch.entries) queues.settle(batch.queue, entry);
      this.#count(batch);
    } catch (error) {
      for (const entry of batch.entries.reverse()) batch.queue.giveBack(entry);
      log('info', 'Messages wait for the cloud', { detail: (error as Error).message });
      link.lost();
    }
  }

  #takeBatch(): Batch | undefined {
    for (const queue of this.#parts().queues.upstream()) {
      const batch = this.#takeFrom(queue);
      if (batch.entries.length > 0) return batch;
    }
    return undefined;
  }

  #takeFrom(queue: EndpointQueue): Batch {
    const { store, queues, nowMs } = this.#parts();
    const batch: Batch = { queue, entries: [], messages: [] };
    let bytes = 0;
    while (batch.entries.length < BATCH_COUNT_MAX && bytes < BATCH_BYTES_MAX) {
      const entry = queue.take();
      if (entry === undefined) break;
      const message = isExpired(entry, nowMs()) ? 'expired' : store.read(entry.messageId);
      if (message === 'expired') queues.drop(queue, entry, 'ttl_expiry');
      else if (message === undefined) queues.drop(queue, entry, 'damaged');
      else {
        batch.entries.push(entry);
        bytes += message.body.length;
        batch.messages.push({
          id: `${store.storeId}-${entry.messageId}`,
          properties: message.properties,
          body: message.body.toString('base64'),
          enqueuedMs: entry.enqueuedMs,
        });
      }
    }
    return batch;
  }

  #count({ queue, messages }: Batch): void {
    for (const { properties } of messages) {
      this.#parts().metrics.count('edgehub_messages_sent_total', {
        from: senderOf(properties.system),
        to: 'upstream',
        from_route_output: properties.system.outputName ?? '',
        to_route_input: '',
        priority: String(queue.priority),
      });
    }
  }
}
