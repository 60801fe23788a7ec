import type { HubParts } from './hub.ts';

/** What the supervisor shows of the hub. Plain JSON. */
export function hubStatus(parts: HubParts): object {
  const { metrics, sessions, queues, link } = parts;
  return {
    queues: queues.status(),
    clients: sessions.all().map(({ id, connectedMs, expirySecs }) => ({
      id,
      connectedMs,
      expirySecs,
    })),
    received: metrics.total('edgehub_messages_received_total'),
    delivered: metrics.total('edgehub_messages_sent_total'),
    dropped: metrics.dropped(),
    unacknowledged: metrics.total('edgehub_messages_unack_total'),
    upstream: link.up ? 'up' : 'down',
    rssBytes: process.memoryUsage.rss(),
    memory: process.memoryUsage(),
  };
}

/** Prometheus text: counters, and queue lengths and clients as they are now. */
export function renderMetrics({ metrics, queues, sessions }: HubParts): string {
  return metrics.render([
    {
      name: 'edgehub_queue_length',
      help: 'Messages that are not delivered yet.',
      samples: queues.status().map(({ endpoint, priority, length }) => ({
        labels: { endpoint, priority: String(priority) },
        value: length,
      })),
    },
    {
      name: 'edgehub_connected_clients',
      help: 'Clients that are connected.',
      samples: [{ labels: {}, value: sessions.all().length }],
    },
  ]);
}
