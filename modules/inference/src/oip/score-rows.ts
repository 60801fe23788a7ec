import type { AssetReadings, BundleManifest } from '@holdfast/contracts';
import { wrong } from './api-error.ts';
import { show } from './show.ts';

type Value = number | null;

/** Rows of one request; each costs a few numbers of answer. */
export const SCORE_ROWS_MAX = 10_000;

/** Keys that clients of scoring endpoints use for the same thing. */
const KEYS = ['input_data', 'data', 'inputs'];

/** Times begin here where the request has none: only their distances matter. */
const START_MS = 1_600_000_000_000;

/**
 * The rows of a request to `/score` as readings: of one asset, in order, each row to be scored; or, for windows given
 * as such, of one asset a window, whose last row alone is to be scored. @throws ApiError 400
 */
export function readScoreRows(
  json: unknown,
  inputs: BundleManifest['inputs'],
): { assets: AssetReadings[]; asked: number[] } {
  const body = objectOf(json, 'body');
  const keys = KEYS.filter((key) => body[key] !== undefined);
  if (keys.length !== 1) {
    throw wrong(`body: must have one of ${KEYS.join(', ')}, has ${keys.join(' and ') || 'none'}`);
  }
  const key = keys[0]!;
  const signals = inputs.signals.map(({ name }) => name);
  const { windows, single } = windowsOf(body[key], signals, key);
  const count = windows.reduce((sum, rows) => sum + rows.length, 0);
  if (count === 0) throw wrong(`${key}: has no rows`);
  if (count > SCORE_ROWS_MAX)
    throw wrong(`${key}: has ${count} rows, must be at most ${SCORE_ROWS_MAX}`);
  const times = timesOf(body.t, single ? count : undefined, inputs.periodMs);
  const asked: number[] = [];
  let seq = 0;
  const assets = windows.map((rows, at): AssetReadings => {
    const numbers = rows.map(() => ++seq);
    asked.push(...(single ? numbers : numbers.slice(-1)));
    return {
      asset: `window ${at}`,
      signals,
      seq: numbers,
      t: numbers.map((_, row) => times(row)),
      values: signals.map((_, signal) => rows.map((row) => row[signal]!)),
    };
  });
  return { assets, asked };
}

type Windows = { windows: Value[][][]; single: boolean };

function windowsOf(value: unknown, signals: readonly string[], path: string): Windows {
  if (!Array.isArray(value))
    return { windows: [tableOf(objectOf(value, path), signals, path)], single: true };
  const [first] = value;
  if (Array.isArray(first) && Array.isArray(first[0])) {
    const windows = value.map((window, at) =>
      rowsOf(listOf(window, `${path}[${at}]`), signals, `${path}[${at}]`),
    );
    return { windows, single: false };
  }
  // Numbers alone are one row.
  const rows = typeof first === 'number' || first === null ? [value] : value;
  return { windows: [rowsOf(rows, signals, path)], single: true };
}

/** One row by name, or a table as data frames write it: `{"columns": [names], "data": [[values]]}`. */
function tableOf(
  table: Record<string, unknown>,
  signals: readonly string[],
  path: string,
): Value[][] {
  if (!Array.isArray(table.columns)) return rowsOf([table], signals, path);
  const places = signals.map((signal) => {
    const place = (table.columns as unknown[]).indexOf(signal);
    if (place < 0) throw wrong(`${path}.columns: signal "${signal}" of the model is missing`);
    return place;
  });
  return listOf(table.data, `${path}.data`).map((row, at) => {
    const values = listOf(row, `${path}.data[${at}]`);
    return places.map((place) => numberOf(values[place], `${path}.data[${at}][${place}]`));
  });
}

const rowsOf = (rows: readonly unknown[], signals: readonly string[], path: string): Value[][] =>
  rows.map((row, at) => {
    const where = `${path}[${at}]`;
    if (!Array.isArray(row)) {
      const named = objectOf(row, where);
      return signals.map((signal) => numberOf(named[signal], `${where}["${signal}"]`));
    }
    if (row.length !== signals.length) {
      throw wrong(
        `${where}: has ${row.length} values, must have ${signals.length}: ${signals.join(', ')}`,
      );
    }
    return row.map((value, column) => numberOf(value, `${where}[${column}]`));
  });

function numberOf(value: unknown, path: string): Value {
  if (value === null || (typeof value === 'number' && Number.isFinite(value))) return value;
  const found = value === undefined ? 'is missing' : `${show(value)} is not allowed`;
  throw wrong(`${path}: ${found}, must be a number or null`);
}

function timesOf(
  value: unknown,
  count: number | undefined,
  periodMs: number,
): (row: number) => number {
  if (value === undefined) return (row) => START_MS + row * periodMs;
  const times = listOf(value, 't');
  if (times.length !== count) {
    throw wrong(
      `t: has ${times.length} times, must have one for each of the rows, and none for windows`,
    );
  }
  const wrongAt = times.findIndex((time) => !Number.isSafeInteger(time) || (time as number) < 0);
  if (wrongAt >= 0)
    throw wrong(`t[${wrongAt}]: ${show(times[wrongAt])} is not allowed, must be ms since 1970`);
  return (row) => times[row] as number;
}

function objectOf(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw wrong(`${path}: ${show(value)} is not allowed, must be an object`);
}

function listOf(value: unknown, path: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw wrong(`${path}: ${show(value)} is not allowed, must be an array`);
}
