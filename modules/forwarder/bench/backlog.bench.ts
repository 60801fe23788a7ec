import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RollupRecord } from '@holdfast/contracts';
import { copyLog } from '../src/adapters/database.ts';
import { Outbox } from '../src/adapters/outbox.ts';
import { provenTransaction } from '../src/adapters/proof.ts';
import { openStore } from '../src/adapters/store.ts';
import { settings } from '../src/config.ts';
import { startForwarder } from '../src/forwarder.ts';
import { aHost } from '../src/testing/fake-host.ts';
import { scoresBody } from '../src/testing/scores.ts';

const ROWS = 2_700;
const MESSAGES = 60;
const FILL_AT_ONCE = 10_000;

export interface OutboxFigures {
  records: number;
  /** From opening the database to being ready. */
  startMs: number;
  /** One message of 2,700 rows, which adds some 45 records. */
  applyMs: number;
}

/**
 * What one message costs while so many records wait for a link that is away. The records are put into the database
 * as the forwarder does it; only the number of syncs is less.
 */
export async function benchOutbox(
  sizes: readonly number[],
  say: (line: string) => void,
): Promise<OutboxFigures[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'forwarder-backlog-'));
  const figures: OutboxFigures[] = [];
  let filled = 0;
  let seq = 1;
  for (const records of sizes) {
    say(`forwarder with ${records} records waiting`);
    fill(folder, filled, records);
    filled = Math.max(filled, records);
    const given = settings.parse({
      egress: { allow: ['rollup', 'anomaly', 'gap'] },
      outbox: { bytesMax: 64 * 2 ** 30 },
    });
    const openedAt = performance.now();
    const { host, close } = aHost(folder, given);
    const module = await startForwarder(host);
    const startMs = performance.now() - openedAt;
    const bodies = Array.from({ length: MESSAGES }, () => {
      const body = Buffer.from(scoresBody({ first: seq, rows: ROWS, assets: 8 }));
      seq += ROWS;
      return body;
    });
    const startedAt = performance.now();
    for (const body of bodies) module.inputs.scores!({ input: 'scores', body, properties: {} });
    const applyMs = (performance.now() - startedAt) / MESSAGES;
    figures.push({ records, startMs, applyMs });
    await module.stop();
    await close();
  }
  rmSync(folder, { recursive: true, force: true });
  return figures;
}

function fill(folder: string, from: number, to: number): void {
  const site = 'plant-1';
  const db = openStore(path.join(folder, 'forwarder.db'), { log: quiet, site, wallMs: Date.now() });
  db.pragma('synchronous = OFF');
  const outbox = new Outbox(db);
  const kept = new Set(['rollup'] as const);
  for (let at = from; at < to; at += FILL_AT_ONCE) {
    const records = Array.from({ length: Math.min(FILL_AT_ONCE, to - at) }, (_, index) =>
      rollup(at + index),
    );
    provenTransaction(db, () => outbox.append(records, kept, Date.now()));
    copyLog(db);
  }
  db.close();
}

const quiet = { error: console.error, warn: console.warn, info() {}, debug() {} };

const rollup = (number: number): RollupRecord => ({
  id: `r-bench-epoch-0-${number}`,
  site: 'plant-1',
  kind: 'rollup',
  asset: `asset-${number % 100}`,
  stream: 'bench-0',
  epoch: 'epoch-0',
  minuteT: Date.UTC(2026, 0, 1) + Math.floor(number / 100) * 60_000,
  part: 0,
  scored: 60,
  rejected: 0,
  unscored: 0,
  warnings: 0,
  alarms: 0,
  scoreMin: 0.1,
  scoreMean: 0.25,
  scoreMax: 0.5,
  firstSeq: number * 60 + 1,
  lastSeq: number * 60 + 60,
  model: { name: 'pump-loop', version: '1', digest: `sha256:${'0'.repeat(64)}` },
});
