import type { SignalSet } from './checker.ts';
import { type Fault, faultOf } from './fault.ts';
import type { Intake, RowPlace } from './intake.ts';

/** How documents of one request are read. */
export interface ReadOptions {
  /** Asset of rows that name none. */
  asset?: string | undefined;
}

/** Where a document stands in its request: line number of NDJSON, else the running row number is used. */
export interface DocumentPlace {
  line?: number;
}

const SINGLE =
  'must be {asset, t, values: {<signal>: number or null}} or columns {asset, signals, t[], values[signal][row]}';

/** Reads one object, one block of columns, or an array of either. */
export function readJson(
  document: unknown,
  intake: Intake,
  options: ReadOptions,
  place: DocumentPlace = {},
): void {
  if (!Array.isArray(document)) {
    readItem(document, -1, intake, options, place);
    return;
  }
  for (let index = 0; index < document.length; index += 1) {
    readItem(document[index], index, intake, options, place);
  }
}

function readItem(
  item: unknown,
  index: number,
  intake: Intake,
  options: ReadOptions,
  place: DocumentPlace,
): void {
  const at = place.line ?? intake.rows;
  if (!isObject(item)) {
    intake.refuse(at, faultOf('shape', pathAt(index, ''), item, SINGLE));
    return;
  }
  if (Array.isArray(item.t) || 'signals' in item) {
    readColumns(item, index, intake, options, place);
    return;
  }
  for (const key in item) {
    if (key !== 'asset' && key !== 't' && key !== 'values') {
      intake.refuse(at, unknownField(index, key, 'asset, t and values'));
      return;
    }
  }
  const { values } = item;
  if (!isObject(values)) {
    const path = pathAt(index, 'values');
    intake.refuse(at, faultOf('shape', path, values, 'must be an object of signal: number'));
    return;
  }
  const names = Object.keys(values);
  const row: unknown[] = new Array(names.length);
  for (let i = 0; i < names.length; i += 1) row[i] = values[names[i] as string];
  const set = intake.checker.signals(names);
  intake.add(new ObjectPlace(at, index), assetOf(item, options), item.t, set, row);
}

/** One block of columns: `values[signal][row]`. What is wrong with its shape costs all of its rows. */
function readColumns(
  item: Record<string, unknown>,
  index: number,
  intake: Intake,
  options: ReadOptions,
  place: DocumentPlace,
): void {
  const { signals, t, values } = item;
  const rows = Array.isArray(t) ? Math.max(1, t.length) : 1;
  const asset = assetOf(item, options);
  const shapeFault = columnsFault(item, index);
  if (shapeFault !== undefined) {
    intake.refuse(place.line ?? intake.rows, shapeFault, rows);
    return;
  }
  const set = intake.checker.signals(signals as string[]);
  const fault = namesFault(asset, set, index, intake);
  if (fault !== undefined) {
    intake.refuse(place.line ?? intake.rows, fault, rows);
    return;
  }
  const columns = values as unknown[][];
  const times = t as unknown[];
  const rowPlace = new ColumnPlace(index);
  for (let r = 0; r < times.length; r += 1) {
    const row: unknown[] = new Array(columns.length);
    for (let c = 0; c < columns.length; c += 1) row[c] = (columns[c] as unknown[])[r];
    rowPlace.at = place.line ?? intake.rows;
    rowPlace.r = r;
    intake.add(rowPlace, asset, times[r], set, row);
  }
}

/** What is wrong with the asset or the signals of a block, once for all of its rows. */
function namesFault(
  asset: unknown,
  set: SignalSet,
  index: number,
  intake: Intake,
): Fault | undefined {
  const assetFault = intake.checker.asset(asset, pathAt(index, 'asset'));
  if (assetFault !== undefined) return assetFault;
  const ranges = intake.checker.ranges(asset as string, set);
  const found = set.fault ?? (ranges !== undefined && 'code' in ranges ? ranges : undefined);
  if (found === undefined) return undefined;
  const { at, ...fault } = found;
  return { ...fault, path: pathAt(index, at === undefined ? 'signals' : `signals[${at}]`) };
}

function columnsFault(item: Record<string, unknown>, index: number): Fault | undefined {
  for (const key in item) {
    if (key !== 'asset' && key !== 't' && key !== 'values' && key !== 'signals') {
      return unknownField(index, key, 'asset, signals, t and values');
    }
  }
  const { signals, t, values } = item;
  const shape = (path: string, value: unknown, allowed: string): Fault =>
    faultOf('shape', pathAt(index, path), value, allowed);
  if (!Array.isArray(signals)) return shape('signals', signals, 'must be an array of names');
  const bad = signals.findIndex((name) => typeof name !== 'string');
  if (bad >= 0) return shape(`signals[${bad}]`, signals[bad], 'must be a string');
  if (!Array.isArray(t)) return shape('t', t, 'must be an array of times');
  if (t.length === 0) return shape('t', t, 'must have at least one time');
  if (!Array.isArray(values)) return shape('values', values, 'must be an array of columns');
  const length = (path: string, found: unknown[], allowed: string): Fault =>
    faultOf('columns-length', pathAt(index, path), found, allowed);
  if (values.length !== signals.length) {
    return length('values', values, `must have one column a signal: ${signals.length}`);
  }
  for (let c = 0; c < values.length; c += 1) {
    const column: unknown = values[c];
    if (!Array.isArray(column)) return shape(`values[${c}]`, column, 'must be an array of numbers');
    if (column.length !== t.length) {
      return length(`values[${c}]`, column, `must have one value a time: ${t.length}`);
    }
  }
  return undefined;
}

const assetOf = (item: Record<string, unknown>, options: ReadOptions): unknown =>
  item.asset === undefined ? options.asset : item.asset;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const unknownField = (index: number, key: string, known: string): Fault => ({
  code: 'field-unknown',
  path: pathAt(index, key.slice(0, 80)),
  allowed: `is not a known name; known are ${known}`,
});

const pathAt = (index: number, path: string): string => {
  if (index < 0) return path;
  return path === '' ? `[${index}]` : `[${index}].${path}`;
};

class ObjectPlace implements RowPlace {
  readonly at: number;
  readonly #index: number;
  constructor(at: number, index: number) {
    this.at = at;
    this.#index = index;
  }
  pathOf(part: string): string {
    return pathAt(this.#index, part);
  }
  pathOfSignal(index: number, name: string): string {
    return pathAt(this.#index, index < 0 ? 'values' : `values.${name.slice(0, 80)}`);
  }
}

class ColumnPlace implements RowPlace {
  at = 0;
  /** Row within the block. */
  r = 0;
  readonly #index: number;
  constructor(index: number) {
    this.#index = index;
  }
  pathOf(part: 'asset' | 't'): string {
    return pathAt(this.#index, part === 't' ? `t[${this.r}]` : 'asset');
  }
  pathOfSignal(index: number): string {
    return pathAt(this.#index, index < 0 ? 'signals' : `values[${index}][${this.r}]`);
  }
}
