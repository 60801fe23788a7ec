import type { InsightRecord, Level } from '@holdfast/contracts';
import type Database from 'better-sqlite3';
import { unpackSegment } from '../domain/score-segment.ts';

export interface InsightQuery {
  kind: 'anomaly' | 'rollup' | 'gap';
  asset?: string | undefined;
  /** Start of the event, ms since 1970, included. */
  since: number;
  limit: number;
  /** Only anomalies that have not ended. */
  open?: boolean;
}

export interface ScoreRow {
  t: number;
  seq: number;
  score: number;
  level: Level;
}

const TABLES = {
  anomaly: { table: 'anomaly', time: 'startT' },
  rollup: { table: 'rollup', time: 'minuteT' },
  gap: { table: 'gap', time: 't' },
} as const;

/** Answers of the local API, from a connection of its own: a slow query never holds up a commit. */
export class InsightReader {
  readonly #db: Database.Database;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** Newest first. */
  insights(query: InsightQuery): InsightRecord[] {
    const { table, time } = TABLES[query.kind];
    const conditions = [`${time} >= ?`];
    const values: unknown[] = [query.since];
    if (query.asset !== undefined && query.kind !== 'gap') {
      conditions.push('asset = ?');
      values.push(query.asset);
    }
    if (query.open === true && query.kind === 'anomaly') conditions.push('endT IS NULL');
    const rows = this.#db
      .prepare(
        `SELECT record FROM ${table} WHERE ${conditions.join(' AND ')} ORDER BY number DESC LIMIT ?`,
      )
      .all(...values, query.limit) as { record: string }[];
    return rows.map(({ record }) => JSON.parse(record) as InsightRecord);
  }

  /** Scores of one asset with `from <= t <= to`, oldest first. */
  scores(query: { asset: string; from: number; to: number; limit: number }): ScoreRow[] {
    const rows: ScoreRow[] = [];
    const segments = this.#db
      .prepare(
        'SELECT body FROM segment WHERE asset = ? AND lastT >= ? AND firstT <= ? ORDER BY lastT, firstT',
      )
      .iterate(query.asset, query.from, query.to);
    for (const segment of segments) {
      const { seq, t, score, level } = unpackSegment((segment as { body: Uint8Array }).body);
      for (let i = 0; i < t.length; i++) {
        if (t[i]! < query.from || t[i]! > query.to) continue;
        rows.push({ t: t[i]!, seq: seq[i]!, score: score[i]!, level: level[i]! });
        if (rows.length >= query.limit) return rows;
      }
    }
    return rows;
  }

  /** Newest first. */
  dead(
    limit: number,
  ): { lane: string; kind: string; diedMs: number; reason: string; record: unknown }[] {
    const rows = this.#db
      .prepare('SELECT lane, kind, diedMs, reason, record FROM dead ORDER BY number DESC LIMIT ?')
      .all(limit) as {
      lane: string;
      kind: string;
      diedMs: number;
      reason: string;
      record: string;
    }[];
    return rows.map((row) => ({ ...row, record: JSON.parse(row.record) as unknown }));
  }
}
