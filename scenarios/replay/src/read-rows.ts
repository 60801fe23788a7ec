import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'csv-parse';
import { applyUserMap, guessTableMap, type TableMap } from './table-map.ts';

/**
 * One row as it goes to ingest. A cell that is empty is `null`; a cell that is not a number and a time that
 * cannot be read stay the text they were, so that ingest, not the replay, decides and accounts for them.
 */
export interface ReplayRow {
  asset: string;
  t: number | string;
  values: Record<string, number | string | null>;
}

/** What a guess looks at. */
const GUESS_BYTES = 64 * 1024;
const GUESS_ROWS = 50;

/** Reads the header and a few rows and guesses, laying `given` over the guess. @throws Error for an unusable file. */
export async function mapOf(file: string, given: unknown): Promise<TableMap> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(GUESS_BYTES), 0, GUESS_BYTES, 0);
    const text = buffer
      .subarray(0, bytesRead)
      .toString('utf8')
      .replace(/^\uFEFF/, '');
    const [header, ...rows] = text.split(/\r?\n/).filter((line) => line.trim() !== '');
    if (header === undefined) throw new Error('the file is empty');
    // The last line may be cut by the read.
    if (bytesRead === GUESS_BYTES) rows.pop();
    const guessed = guessTableMap(header, rows.slice(0, GUESS_ROWS));
    return given === undefined ? guessed : applyUserMap(guessed, given);
  } catch (error) {
    throw new Error(`${path.basename(file)}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  } finally {
    await handle.close();
  }
}

/** The rows of one file in order, in bounded memory. `asset` names the file's asset where no column does. */
export async function* readRows(
  file: string,
  map: TableMap,
  asset: string,
): AsyncGenerator<ReplayRow> {
  const parser = createReadStream(file).pipe(
    parse({
      delimiter: map.delimiter,
      columns: true,
      bom: true,
      trim: true,
      skip_empty_lines: true,
      relax_column_count: true,
    }),
  );
  for await (const record of parser as AsyncIterable<Record<string, string>>) {
    const values: ReplayRow['values'] = {};
    for (const [column, signal] of Object.entries(map.signals))
      values[signal] = cellOf(record[column]);
    yield {
      asset: (map.asset === undefined ? undefined : record[map.asset]) ?? asset,
      t: timeOf(record[map.time] ?? ''),
      values,
    };
  }
}

const cellOf = (cell: string | undefined): number | string | null => {
  if (cell === undefined || cell === '') return null;
  const number = Number(cell);
  return Number.isFinite(number) ? number : cell;
};

/** Milliseconds since 1970 or ISO 8601; a local time without a zone is taken as UTC. Anything else stays text. */
export function timeOf(cell: string): number | string {
  if (/^\d{9,10}(\.\d+)?$/.test(cell)) return Math.round(Number(cell) * 1000);
  if (/^\d{12,13}$/.test(cell)) return Number(cell);
  const match =
    /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?\s*(Z|[+-]\d{2}:?\d{2})?$/.exec(
      cell,
    );
  if (match === null) return cell;
  const milliseconds = Date.parse(`${match[1]}T${match[2] ?? '00:00:00'}${match[3] ?? 'Z'}`);
  return Number.isNaN(milliseconds) ? cell : milliseconds;
}
