import type { SignalSet } from './checker.ts';
import { type Fault, faultOf } from './fault.ts';
import type { Intake, RowPlace } from './intake.ts';

/** What the first line of a CSV text says about the others. */
export interface CsvHeader {
  cells: number;
  /** Column of the asset; -1 when all rows belong to the asset that the request names. */
  asset: number;
  t: number;
  /** Columns of the signals, in the order of `set`. */
  columns: readonly number[];
  set: SignalSet;
}

export interface CsvOptions {
  /** Asset of all rows, when the header has no column `asset`. */
  asset?: string | undefined;
  /** @default , */
  delimiter?: string | undefined;
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * Reads the header `asset,t,<signal>,...`. Everything but `asset` and `t` is a signal; the order is free.
 * A fault here costs the whole text: without a header no row means anything.
 */
export function readCsvHeader(
  line: string,
  intake: Intake,
  options: CsvOptions,
): CsvHeader | { fault: Fault } {
  const cells = cellsOf(line.replace(/^\uFEFF/, ''), options)?.map((cell) => cell.trim());
  const expected =
    options.asset === undefined ? 'asset, t and at least one signal' : 't and at least one signal';
  if (cells === undefined) {
    return { fault: faultOf('csv-header', 'header', line, `must be a line with ${expected}`) };
  }
  const missing = [...(options.asset === undefined ? ['asset'] : []), 't'].find(
    (name) => !cells.includes(name),
  );
  if (missing !== undefined) {
    const value = cells.join(options.delimiter ?? ',');
    return { fault: faultOf('csv-header', 'header', value, `must name a column "${missing}"`) };
  }
  const twice = cells.find((name, index) => cells.indexOf(name) !== index);
  if (twice !== undefined) {
    return { fault: faultOf('signal-duplicate', 'header', twice, 'must be named only once') };
  }
  const asset = cells.indexOf('asset');
  const t = cells.indexOf('t');
  const columns = cells.map((_, index) => index).filter((index) => index !== asset && index !== t);
  const set = intake.checker.signals(columns.map((index) => cells[index] as string));
  if (set.fault !== undefined) {
    const { at: _, ...fault } = set.fault;
    return { fault: { ...fault, path: 'header' } };
  }
  return { cells: cells.length, asset, t, columns, set };
}

/** Reads the lines after the header. `firstLine` is the number of the first of them. */
export function readCsvRows(
  text: string,
  header: CsvHeader,
  intake: Intake,
  options: CsvOptions & { firstLine: number },
): void {
  const place = new CsvPlace(options.firstLine);
  for (let from = 0; from < text.length; place.at += 1) {
    const end = text.indexOf('\n', from);
    const to = end < 0 ? text.length : end;
    const line = text.slice(from, text[to - 1] === '\r' && to > from ? to - 1 : to);
    if (line !== '') readRow(line, header, intake, options, place);
    from = to + 1;
  }
}

/** Reads a whole CSV text. */
export function readCsv(text: string, intake: Intake, options: CsvOptions): void {
  const end = text.indexOf('\n');
  const header = readCsvHeader(
    (end < 0 ? text : text.slice(0, end)).replace(/\r$/, ''),
    intake,
    options,
  );
  if ('fault' in header) {
    intake.refuse(1, header.fault);
    return;
  }
  if (end >= 0) readCsvRows(text.slice(end + 1), header, intake, { ...options, firstLine: 2 });
}

function readRow(
  line: string,
  header: CsvHeader,
  intake: Intake,
  options: CsvOptions,
  place: CsvPlace,
): void {
  const cells = cellsOf(line, options);
  if (cells === undefined) {
    intake.refuse(place.at, faultOf('csv-cells', '', line, 'must have its quotes in pairs'));
    return;
  }
  if (cells.length !== header.cells) {
    const allowed = `must be ${header.cells}, as many as the header has`;
    intake.refuse(place.at, faultOf('csv-cells', 'cells', cells.length, allowed));
    return;
  }
  const values: unknown[] = new Array(header.columns.length);
  for (let i = 0; i < values.length; i += 1) {
    const cell = (cells[header.columns[i] as number] as string).trim();
    // What is not a number stays text, and the intake refuses it with its place.
    if (cell === '') values[i] = null;
    else values[i] = NUMBER.test(cell) ? Number(cell) : cell;
  }
  const asset = header.asset < 0 ? options.asset : (cells[header.asset] as string).trim();
  intake.add(place, asset, (cells[header.t] as string).trim(), header.set, values);
}

/** Cells of one line (RFC 4180); undefined when its quotes are wrong. A quoted cell cannot hold a line break. */
export function cellsOf(line: string, options: CsvOptions): string[] | undefined {
  const delimiter = options.delimiter ?? ',';
  if (!line.includes('"')) return line.split(delimiter);
  const cells: string[] = [];
  let from = 0;
  for (;;) {
    if (line[from] !== '"') {
      const end = line.indexOf(delimiter, from);
      const cell = line.slice(from, end < 0 ? undefined : end);
      if (cell.includes('"')) return undefined;
      cells.push(cell);
      if (end < 0) return cells;
      from = end + 1;
      continue;
    }
    const end = closingQuote(line, from + 1);
    if (end < 0) return undefined;
    cells.push(line.slice(from + 1, end).replaceAll('""', '"'));
    if (end + 1 === line.length) return cells;
    if (line[end + 1] !== delimiter) return undefined;
    from = end + 2;
  }
}

/** Index of the quote that closes a cell, passing over doubled ones; -1 without one. */
function closingQuote(line: string, from: number): number {
  let at = line.indexOf('"', from);
  while (at >= 0 && line[at + 1] === '"') at = line.indexOf('"', at + 2);
  return at;
}

class CsvPlace implements RowPlace {
  at: number;
  constructor(at: number) {
    this.at = at;
  }
  pathOf(part: 'asset' | 't'): string {
    return part;
  }
  pathOfSignal(index: number, name: string): string {
    return index < 0 ? 'header' : name;
  }
}
