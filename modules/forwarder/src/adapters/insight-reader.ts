import type { InsightRecord, Level } from '@holdfast/contracts';
import type Database from 'better-sqlite3';
import { unpackSegment } from '../domain/score-segment.ts';
import { insightHolds } from './proven-rows.ts';
import { sumOf } from './row-sum.ts';

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

/** Columns that the checksum covers, in its order. */
const TABLES = {
  anomaly: { table: 'anomaly', time: 'startT', columns: ['id', 'asset', 'startT', 'endT'] },
  rollup: { table: 'rollup', time: 'minuteT', columns: ['asset', 'minuteT', 'part'] },
  gap: { table: 'gap', time: 't', columns: ['t'] },
} as const;

type Row = Record<string, string | number | null> & { record: string; sum: number | null };

interface Segment {
  asset: string;
  firstT: number;
  lastT: number;
  rows: number;
  body: Uint8Array;
  sum: number | null;
}

/** Answers of the local API, from a connection of its own: a slow query never holds up a commit. */
export class InsightReader {
  readonly #db: Database.Database;
  /** Rows that were left out of answers because they are damaged, since the start. */
  damaged = 0;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** Newest first. */
  insights(query: InsightQuery): InsightRecord[] {
    const { table, time, columns } = TABLES[query.kind];
    const conditions = [`${time} >= ?`];
    const values: unknown[] = [query.since];
    if (query.asset !== undefined && query.kind !== 'gap') {
      conditions.push('asset = ?');
      values.push(query.asset);
    }
    if (query.open === true && query.kind === 'anomaly') conditions.push('endT IS NULL');
    const rows = this.#db
      .prepare(
        `SELECT * FROM ${table} WHERE ${conditions.join(' AND ')} ORDER BY number DESC LIMIT ?`,
      )
      .all(...values, query.limit) as Row[];
    return this.#whole(table, columns, rows).map(
      ({ record }) => JSON.parse(record) as InsightRecord,
    );
  }

  /** Scores of one asset with `from <= t <= to`, oldest first. */
  scores(query: { asset: string; from: number; to: number; limit: number }): ScoreRow[] {
    const rows: ScoreRow[] = [];
    const segments = this.#db
      .prepare(
        'SELECT asset, firstT, lastT, rows, body, sum FROM segment WHERE asset = ? AND lastT >= ? AND firstT <= ? ORDER BY lastT, firstT',
      )
      .iterate(query.asset, query.from, query.to);
    for (const segment of segments) {
      const row = segment as Segment;
      const head = [row.asset, row.firstT, row.lastT, row.rows];
      if (row.sum !== null && row.sum !== sumOf('segment', head, row.body)) {
        this.damaged++;
        continue;
      }
      const { seq, t, score, level } = unpackSegment(row.body);
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
      .prepare('SELECT * FROM dead ORDER BY number DESC LIMIT ?')
      .all(limit) as (Row & { lane: string; kind: string; diedMs: number; reason: string })[];
    const columns = ['lane', 'kind', 'diedMs', 'reason'];
    return this.#whole('dead', columns, rows).map(({ lane, kind, diedMs, reason, record }) => {
      return { lane, kind, diedMs, reason, record: JSON.parse(record) as unknown };
    });
  }

  /** Rows that are as they were written. */
  #whole<R extends Row>(
    table: 'anomaly' | 'rollup' | 'gap' | 'dead',
    columns: readonly string[],
    rows: readonly R[],
  ): R[] {
    const whole = rows.filter(({ record, sum, ...row }) =>
      insightHolds(
        table,
        columns.map((name) => row[name] ?? null),
        record,
        sum,
      ),
    );
    this.damaged += rows.length - whole.length;
    return whole;
  }
}
