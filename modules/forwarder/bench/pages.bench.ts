import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { settings } from '../src/config.ts';
import { startForwarder } from '../src/forwarder.ts';
import { aHost } from '../src/testing/fake-host.ts';
import { scoresMessage } from '../src/testing/scores.ts';

const ROWS = 2_600;
const STREAMS = 4;
/** So few that the log is not yet copied into the database: then every page that was written is still in it. */
const MESSAGES = 60;

/** File format of SQLite, 4.1: a header of the log, and one before each page in it. */
const LOG_HEADER = 32;
const FRAME_HEADER = 24;

export interface PageFigures {
  /** Table or index. */
  name: string;
  pagesAMessage: number;
  bytesAReading: number;
}

/**
 * Which tables and indexes the bytes of a message go to: pages in the forwarder's log, for messages of 2,600 rows of
 * two assets in four streams, with rollups waiting for upload. The most first.
 */
export async function benchPages(): Promise<PageFigures[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'forwarder-pages-'));
  const { host, close } = aHost(folder, settings.parse({ egress: { allow: ['rollup'] } }));
  const module = await startForwarder(host);
  for (let index = 0; index < MESSAGES; index += 1) {
    const stream = index % STREAMS;
    const first = Math.floor(index / STREAMS) * ROWS + 1;
    const message = scoresMessage({ first, rows: ROWS, assets: 2, stream: `ingest-${stream}` });
    for (const scores of message.assets) scores.asset += `-of-${stream}`;
    const body = Buffer.from(JSON.stringify(message));
    module.inputs.scores!({ input: 'scores', body, properties: {} });
  }
  const figures = pagesOf(path.join(folder, 'forwarder.db'));
  await module.stop();
  await close();
  rmSync(folder, { recursive: true, force: true });
  return figures;
}

function pagesOf(file: string): PageFigures[] {
  const log = readFileSync(`${file}-wal`);
  const pageBytes = log.readUInt32BE(8);
  const salt = log.subarray(16, 24);
  const db = new Database(file, { readonly: true });
  const names = new Map(
    (db.prepare('SELECT pageno, name FROM dbstat').raw().all() as [number, string][]).map(
      ([page, name]) => [page, name],
    ),
  );
  db.close();
  const frameBytes = FRAME_HEADER + pageBytes;
  const counts = new Map<string, number>();
  for (let at = LOG_HEADER; at + frameBytes <= log.length; at += frameBytes) {
    // What a former use of the log has left has another salt.
    if (!log.subarray(at + 8, at + 16).equals(salt)) break;
    const name = names.get(log.readUInt32BE(at)) ?? 'free pages';
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([name, count]) => ({
      name,
      pagesAMessage: count / MESSAGES,
      bytesAReading: (count * frameBytes) / (MESSAGES * ROWS),
    }));
}
