import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { UpstreamMessage } from '../hub/cloud-protocol.ts';
import type { Document } from '../hub/twin-rules.ts';

export interface ReceivedMessage {
  sequence: number;
  id: string;
  device: string;
  module: string | null;
  receivedMs: number;
  properties: UpstreamMessage['properties'];
  body: string;
}

export interface CloudTwin {
  tags: Document;
  desired: Document;
  /** 0: nothing was ever set. */
  desiredVersion: number;
  reported: Document;
  reportedVersion: number;
  /** Digest of the deployment that was taken over last. */
  deployment: string;
  /** Up by one with every change of any section; makes the etag. */
  version: number;
}

export interface MessageCounts {
  /** Different messages taken in, ever. */
  received: number;
  /** Messages sent again and recognised by id. */
  duplicates: number;
  /** Messages that had to go for newer ones. */
  evicted: number;
  stored: number;
  storedBytes: number;
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS message (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE, device TEXT NOT NULL, module TEXT,
  received_ms INTEGER NOT NULL, properties TEXT NOT NULL, body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS twin (client TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
`;

const EMPTY: CloudTwin = {
  tags: {},
  desired: {},
  desiredVersion: 0,
  reported: {},
  reportedVersion: 0,
  deployment: '',
  version: 1,
};

/** What the stand-in remembers: received messages within bounds, counters and twins. Commits are fsynced. */
export class CloudStore {
  readonly #db: Database.Database;
  readonly #limits: { messagesMax: number; bytesMax: number };
  #stored: { count: number; bytes: number };

  constructor(stateDir: string, limits: { messagesMax: number; bytesMax: number }) {
    mkdirSync(stateDir, { recursive: true });
    this.#db = new Database(join(stateDir, 'cloud.db'));
    this.#db.pragma('journal_mode = WAL');
    this.#db.pragma('synchronous = FULL');
    this.#db.exec(SCHEMA);
    this.#limits = limits;
    this.#stored = this.#db
      .prepare('SELECT count(*) AS count, coalesce(sum(length(body)), 0) AS bytes FROM message')
      .get() as { count: number; bytes: number };
  }

  /** Stores what is new, in order, in one transaction. */
  receive(
    messages: readonly UpstreamMessage[],
    nowMs: number,
  ): { accepted: number; duplicates: number } {
    const insert = this.#db.prepare(
      'INSERT OR IGNORE INTO message (id, device, module, received_ms, properties, body) VALUES (?, ?, ?, ?, ?, ?)',
    );
    return this.#db.transaction(() => {
      let accepted = 0;
      for (const { id, properties, body } of messages) {
        const { connectionDeviceId: device, connectionModuleId: module } = properties.system;
        const bytes = Buffer.from(body, 'base64');
        const text = JSON.stringify(properties);
        const { changes } = insert.run(id, device ?? '', module ?? null, nowMs, text, bytes);
        accepted += changes;
        if (changes > 0) this.#stored.bytes += bytes.length;
      }
      this.#stored.count += accepted;
      const duplicates = messages.length - accepted;
      this.#count('received', accepted);
      this.#count('duplicates', duplicates);
      this.#count('evicted', this.#evict());
      return { accepted, duplicates };
    })();
  }

  messages(after: number, limit: number): ReceivedMessage[] {
    const rows = this.#db
      .prepare('SELECT * FROM message WHERE sequence > ? ORDER BY sequence LIMIT ?')
      .all(after, limit) as {
      sequence: number;
      id: string;
      device: string;
      module: string | null;
      received_ms: number;
      properties: string;
      body: Buffer;
    }[];
    return rows.map(({ received_ms, properties, body, ...row }) => ({
      ...row,
      receivedMs: received_ms,
      properties: JSON.parse(properties) as UpstreamMessage['properties'],
      body: body.toString('utf8'),
    }));
  }

  counts(): MessageCounts {
    const rows = this.#db.prepare('SELECT name, value FROM counter').all() as {
      name: string;
      value: number;
    }[];
    const of = (name: string): number => rows.find((row) => row.name === name)?.value ?? 0;
    return {
      received: of('received'),
      duplicates: of('duplicates'),
      evicted: of('evicted'),
      stored: this.#stored.count,
      storedBytes: this.#stored.bytes,
    };
  }

  twin(client: string): CloudTwin | undefined {
    const row = this.#db.prepare('SELECT document FROM twin WHERE client = ?').get(client) as
      | { document: string }
      | undefined;
    return row === undefined ? undefined : (JSON.parse(row.document) as CloudTwin);
  }

  /** The twin, made empty if there is none. */
  ensureTwin(client: string): CloudTwin {
    const known = this.twin(client);
    if (known !== undefined) return known;
    this.#write(client, EMPTY);
    return structuredClone(EMPTY);
  }

  /** Stores a changed twin under its next version. */
  saveTwin(client: string, twin: CloudTwin): CloudTwin {
    const next = { ...twin, version: twin.version + 1 };
    this.#write(client, next);
    return next;
  }

  clients(): string[] {
    return this.#db.prepare('SELECT client FROM twin ORDER BY client').pluck().all() as string[];
  }

  close(): void {
    this.#db.close();
  }

  #write(client: string, twin: CloudTwin): void {
    this.#db
      .prepare('INSERT OR REPLACE INTO twin (client, document) VALUES (?, ?)')
      .run(client, JSON.stringify(twin));
  }

  #count(name: string, by: number): void {
    if (by === 0) return;
    this.#db
      .prepare(
        'INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value',
      )
      .run(name, by);
  }

  #evict(): number {
    const { messagesMax, bytesMax } = this.#limits;
    const oldest = this.#db.prepare(
      'DELETE FROM message WHERE sequence = (SELECT min(sequence) FROM message) RETURNING length(body) AS bytes',
    );
    let evicted = 0;
    while (this.#stored.count > messagesMax || this.#stored.bytes > bytesMax) {
      const gone = oldest.get() as { bytes: number } | undefined;
      if (gone === undefined) break;
      this.#stored.count--;
      this.#stored.bytes -= gone.bytes;
      evicted++;
    }
    return evicted;
  }
}
