import { randomUUID } from 'node:crypto';
import type { Statement } from 'better-sqlite3';
import type { HubDatabase } from './database.ts';
import type { Destination, HubMessage, QueueEntry } from './message.ts';
import { RecentMessages } from './recent-messages.ts';
import { packBody, unpackBody } from './stored-body.ts';

/** The part of a message that is stored as text. */
type StoredMeta = Pick<HubMessage, 'source' | 'properties'> & { encoding?: 'zstd' | undefined };

/** What is to be stored for one message. An empty list of destinations stores nothing. */
export interface Arrival {
  message: HubMessage;
  destinations: readonly Destination[];
}

/** One entry that a queue is done with: delivered or expired. */
export interface Settlement {
  endpoint: string;
  priority: number;
  messageId: number;
}

export interface StoredEntry extends Destination {
  entry: QueueEntry;
}

export interface QueueSummary {
  endpoint: string;
  priority: number;
  length: number;
}

/**
 * Messages and queues on disk. The body is stored once, whatever the number of queues; the last settlement
 * deletes it. Owns the messages from `commit` until they are settled.
 */
export class MessageStore {
  /** Makes ids of messages unique over all stores: `<storeId>-<id>`. */
  readonly storeId: string;
  readonly #db: HubDatabase;
  readonly #endpoints = new Map<string, number>();
  readonly #recent = new RecentMessages();
  readonly #sql: ReturnType<typeof prepare>;

  constructor(db: HubDatabase) {
    this.#db = db;
    this.#sql = prepare(db);
    this.#sql.addSetting.run('store-id', randomUUID());
    this.storeId = (this.#sql.setting.get('store-id') as { value: string }).value;
    for (const row of this.#sql.endpoints.all() as { id: number; name: string }[]) {
      this.#endpoints.set(row.name, row.id);
    }
  }

  /** One transaction: stores what arrived, removes what is settled. All or nothing. */
  commit(
    arrivals: readonly Arrival[],
    settled: readonly Settlement[],
    nowMs: number,
  ): StoredEntry[][] {
    const stored: StoredEntry[][] = [];
    const cached: [number, HubMessage][] = [];
    this.#db.transaction(() => {
      for (const settlement of settled) this.#settle(settlement);
      for (const arrival of arrivals) {
        const entries = this.#insert(arrival, nowMs);
        stored.push(entries);
        if (entries.length > 0) cached.push([entries[0]!.entry.messageId, arrival.message]);
      }
    })();
    for (const settlement of settled) this.#recent.settle(settlement.messageId);
    for (const [id, message] of cached) this.#recent.add(id, message);
    return stored;
  }

  /** Up to `limit` entries of one queue after a message id, in order. */
  page(endpoint: string, priority: number, after: number, limit: number): QueueEntry[] {
    const rows = this.#sql.page.all(this.#endpointId(endpoint), priority, after, limit) as {
      message: number;
      enqueued_ms: number;
      expires_ms: number | null;
    }[];
    return rows.map((row) => ({
      messageId: row.message,
      enqueuedMs: row.enqueued_ms,
      expiresMs: row.expires_ms ?? undefined,
    }));
  }

  /** Undefined if the message is no longer stored, or damaged. */
  read(id: number): HubMessage | undefined {
    const recent = this.#recent.get(id);
    if (recent !== undefined) return recent;
    const row = this.#sql.message.get(id) as { meta: string; body: Buffer } | undefined;
    if (row === undefined) return undefined;
    const { encoding, ...meta } = JSON.parse(row.meta) as StoredMeta;
    try {
      return { ...meta, body: unpackBody(row.body, encoding) };
    } catch {
      return undefined;
    }
  }

  queues(): QueueSummary[] {
    return this.#sql.queues.all() as QueueSummary[];
  }

  /**
   * Ids of expired entries of one queue among the `limit` after `after`, and the last id looked at (undefined
   * when the queue ends there).
   */
  expired(
    queue: { endpoint: string; priority: number },
    after: number,
    limit: number,
    nowMs: number,
  ): { expired: number[]; next: number | undefined } {
    const entries = this.page(queue.endpoint, queue.priority, after, limit);
    const expired = entries.filter((e) => e.expiresMs !== undefined && e.expiresMs <= nowMs);
    return {
      expired: expired.map((entry) => entry.messageId),
      next: entries.length < limit ? undefined : entries.at(-1)!.messageId,
    };
  }

  /** Id of the newest message ever stored; 0 when there was none. */
  lastId(): number {
    const row = this.#sql.lastId.get() as { seq: number } | undefined;
    return row?.seq ?? 0;
  }

  /** Gives up to `pages` free pages back to the file system; returns how many are still free. */
  shrink(pages: number): number {
    this.#db.pragma(`incremental_vacuum(${pages})`);
    return this.#db.pragma('freelist_count', { simple: true }) as number;
  }

  freePages(): number {
    return this.#db.pragma('freelist_count', { simple: true }) as number;
  }

  #insert({ message, destinations }: Arrival, nowMs: number): StoredEntry[] {
    if (destinations.length === 0) return [];
    const { stored, encoding } = packBody(message.body);
    const { source, properties } = message;
    const meta = JSON.stringify({ source, properties, encoding } satisfies StoredMeta);
    const id = Number(this.#sql.insertMessage.run(meta, stored).lastInsertRowid);
    const shared = destinations.length > 1;
    if (shared) this.#sql.insertShared.run(id, destinations.length);
    return destinations.map((destination) => {
      const ttl = destination.timeToLiveMs;
      const expiresMs = ttl === undefined ? undefined : nowMs + ttl;
      const endpoint = this.#endpointId(destination.endpoint);
      this.#sql.insertEntry.run(
        endpoint,
        destination.priority,
        id,
        nowMs,
        expiresMs ?? null,
        shared ? 1 : 0,
      );
      return { ...destination, entry: { messageId: id, expiresMs, enqueuedMs: nowMs } };
    });
  }

  #settle({ endpoint, priority, messageId }: Settlement): void {
    const row = this.#sql.deleteEntry.get(this.#endpointId(endpoint), priority, messageId) as
      | { shared: number }
      | undefined;
    if (row === undefined) return;
    if (row.shared === 1) {
      const { remaining } = this.#sql.releaseShared.get(messageId) as { remaining: number };
      if (remaining > 0) return;
      this.#sql.deleteShared.run(messageId);
    }
    this.#sql.deleteMessage.run(messageId);
  }

  #endpointId(name: string): number {
    const known = this.#endpoints.get(name);
    if (known !== undefined) return known;
    this.#sql.addEndpoint.run(name);
    const { id } = this.#sql.endpoint.get(name) as { id: number };
    this.#endpoints.set(name, id);
    return id;
  }
}

function prepare(db: HubDatabase) {
  const sql = (text: string): Statement => db.prepare(text);
  return {
    addSetting: sql('INSERT OR IGNORE INTO setting (name, value) VALUES (?, ?)'),
    setting: sql('SELECT value FROM setting WHERE name = ?'),
    endpoints: sql('SELECT id, name FROM endpoint'),
    endpoint: sql('SELECT id FROM endpoint WHERE name = ?'),
    addEndpoint: sql('INSERT OR IGNORE INTO endpoint (name) VALUES (?)'),
    insertMessage: sql('INSERT INTO message (meta, body) VALUES (?, ?)'),
    lastId: sql("SELECT seq FROM sqlite_sequence WHERE name = 'message'"),
    message: sql('SELECT meta, body FROM message WHERE id = ?'),
    deleteMessage: sql('DELETE FROM message WHERE id = ?'),
    insertEntry: sql(
      'INSERT INTO queue (endpoint, priority, message, enqueued_ms, expires_ms, shared) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    deleteEntry: sql(
      'DELETE FROM queue WHERE endpoint = ? AND priority = ? AND message = ? RETURNING shared',
    ),
    page: sql(
      'SELECT message, enqueued_ms, expires_ms FROM queue WHERE endpoint = ? AND priority = ? AND message > ? ORDER BY message LIMIT ?',
    ),
    queues: sql(
      'SELECT e.name AS endpoint, q.priority AS priority, count(*) AS length FROM queue q JOIN endpoint e ON e.id = q.endpoint GROUP BY q.endpoint, q.priority',
    ),
    insertShared: sql('INSERT INTO shared (message, remaining) VALUES (?, ?)'),
    releaseShared: sql(
      'UPDATE shared SET remaining = remaining - 1 WHERE message = ? RETURNING remaining',
    ),
    deleteShared: sql('DELETE FROM shared WHERE message = ?'),
  };
}
