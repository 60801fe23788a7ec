import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { readTime } from '../../modules/ingest/src/domain/read-time.ts';
import { UsageError } from './command.ts';

export interface TableRow {
  /** In the file, from 1. */
  line: number;
  asset: string;
  t: number;
  /** In the order of the header's signals; null for an empty cell. */
  values: (number | null)[];
}

/**
 * Rows of a CSV file with the header `asset,t,<signals>`, the order free, as ingest takes them; without a column
 * `asset` they are all of one. @throws UsageError with the line
 */
export async function* readTable(
  file: string,
): AsyncGenerator<TableRow, void> & AsyncIterable<TableRow> {
  let header: Header | undefined;
  let line = 0;
  for await (const text of createInterface({
    input: createReadStream(file),
    crlfDelay: Infinity,
  })) {
    line += 1;
    const cells = cellsOf(text);
    if (header === undefined) header = headerOf(cells, file);
    else if (text.trim() !== '') yield rowOf(cells, header, line);
  }
  if (header === undefined) throw new UsageError(`${file} is empty`);
}

/** Names of the signals in the order of `values`. */
export async function signalsOf(file: string): Promise<string[]> {
  for await (const text of createInterface({ input: createReadStream(file) })) {
    const cells = cellsOf(text);
    return headerOf(cells, file).columns.map((column) => cells[column]!);
  }
  throw new UsageError(`${file} is empty`);
}

const cellsOf = (text: string): string[] =>
  text
    .replace(/^\uFEFF/, '')
    .split(',')
    .map((cell) => cell.trim());

interface Header {
  asset: number;
  t: number;
  columns: number[];
  cells: number;
}

function headerOf(cells: readonly string[], file: string): Header {
  const asset = cells.indexOf('asset');
  const t = cells.indexOf('t');
  const columns = cells.map((_, index) => index).filter((index) => index !== asset && index !== t);
  if (t < 0 || columns.length === 0 || new Set(cells).size !== cells.length) {
    const allowed = 'must name t, at least one signal, and asset if there are several, each once';
    throw new UsageError(`${file}, line 1: ${cells.join(',')} is not allowed, ${allowed}`);
  }
  return { asset, t, columns, cells: cells.length };
}

function rowOf(cells: readonly string[], header: Header, line: number): TableRow {
  const wrong = (value: string, allowed: string): UsageError =>
    new UsageError(`line ${line}: ${value} is not allowed, ${allowed}`);
  if (cells.length !== header.cells) {
    throw wrong(`${cells.length} cells`, `must be ${header.cells}, as many as the header has`);
  }
  const time = readTime(cells[header.t]!, true);
  if ('fault' in time) throw wrong(cells[header.t]!, 'must be ms since 1970 or ISO 8601');
  const values = header.columns.map((column) => {
    const cell = cells[column]!;
    if (cell === '') return null;
    const value = Number(cell);
    if (!Number.isFinite(value)) throw wrong(cell, 'must be a number or empty');
    return value;
  });
  return { line, asset: header.asset < 0 ? '1' : cells[header.asset]!, t: time.t, values };
}
