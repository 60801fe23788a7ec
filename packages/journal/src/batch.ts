import { type AssetReadings, LOOKBACK_ROWS_MAX, TIME_MS_MAX } from '@holdfast/contracts';
import type { Chunk, ChunkGroup } from './chunk.ts';
import { digitsOf } from './column.ts';
import type { JournalBatch } from './port.ts';
import { appendRows, noRows, type RowColumns } from './row-columns.ts';
import type { Tail } from './tail.ts';

/** A readings message without its assets and names, with the longest numbers that it can have. */
const ENVELOPE_BYTES = JSON.stringify({
  v: 1,
  kind: 'readings',
  stream: '',
  epoch: '',
  first: Number.MAX_SAFE_INTEGER,
  last: Number.MAX_SAFE_INTEGER,
  base: Number.MAX_SAFE_INTEGER,
  lookback: LOOKBACK_ROWS_MAX,
  acceptedMs: TIME_MS_MAX,
  assets: [],
}).length;

interface BatchGroup {
  asset: string;
  signals: string[];
  signalsKey: string;
  rows: RowColumns;
  lookback: AssetReadings['lookback'];
}

export interface BatchLimits {
  bytesMax: number;
  rowsMax: number;
  /** Stored sequence number less the one of the present epoch. */
  offset: number;
  /** Bytes of stream and epoch names. */
  nameBytes: number;
  /** Greatest sequence number that can appear. */
  lastMax: number;
}

/**
 * Fills one batch from chunk after chunk, strictly in order of sequence, until the next row would make the JSON of
 * the message too long. A batch has at least one row, with as much of its lookback as fits, so that a stream never
 * stands still.
 */
export class BatchBuilder {
  readonly #limits: BatchLimits;
  readonly #tail: Tail | undefined;
  readonly #bySignals = new Map<string, Map<string, BatchGroup>>();
  readonly #groups: BatchGroup[] = [];
  readonly #seqChars: number;
  #bytes: number;
  #first = 0;
  #last = 0;
  #rows = 0;
  #acceptedMs = 0;

  constructor(limits: BatchLimits, tail: Tail | undefined) {
    this.#limits = limits;
    this.#tail = tail;
    this.#bytes = ENVELOPE_BYTES + limits.nameBytes;
    this.#seqChars = digitsOf(limits.lastMax) + 1;
  }

  /** Takes rows from stored sequence number `from` on. False when the batch is full. */
  take(chunk: Chunk, from: number): boolean {
    const start = from - chunk.first;
    const groups: (BatchGroup | undefined)[] = new Array(chunk.groups.length);
    const end = this.#cut(chunk, start, groups);
    if (end === start) return false;
    if (this.#rows === 0) {
      this.#first = from;
      this.#acceptedMs = chunk.acceptedMs;
    }
    const range = { start, end, offset: this.#limits.offset };
    appendRows(chunk, range, (_, index) => groups[index]!.rows);
    this.#rows += end - start;
    this.#last = chunk.first + end - 1;
    return this.#last === chunk.last && this.#rows < this.#limits.rowsMax;
  }

  get empty(): boolean {
    return this.#rows === 0;
  }

  /** The batch; its rows go into the tail, which then stands at its end. */
  finish(): JournalBatch {
    const { offset } = this.#limits;
    for (const group of this.#groups) {
      this.#tail?.takeRows(group.signalsKey, group.asset, group.rows, offset);
    }
    this.#tail?.moved(this.#last);
    return {
      first: this.#first - offset,
      last: this.#last - offset,
      acceptedMs: this.#acceptedMs,
      assets: this.#groups.map(({ asset, signals, rows, lookback }) => ({
        asset,
        signals,
        seq: rows.seq,
        t: rows.t,
        values: rows.values,
        ...(lookback && { lookback }),
      })),
    };
  }

  /** First row of the chunk that no longer fits. Opens the groups of the rows before it. */
  #cut(chunk: Chunk, start: number, groups: (BatchGroup | undefined)[]): number {
    const { groupOf, sizes } = chunk;
    const { bytesMax } = this.#limits;
    const seqChars = this.#seqChars;
    const rowsEnd = start + this.#limits.rowsMax - this.#rows;
    const end = Math.min(sizes.length, rowsEnd);
    let bytes = this.#bytes;
    let row = start;
    for (; row < end; row += 1) {
      const index = groupOf === undefined ? 0 : groupOf[row]!;
      const rowBytes = sizes[row]! + seqChars;
      if (groups[index] !== undefined) {
        if (bytes + rowBytes > bytesMax) break;
        bytes += rowBytes;
        continue;
      }
      const obliged = this.#rows === 0 && row === start;
      const opened = this.#open(chunk.groups[index]!, bytesMax - bytes - rowBytes, obliged);
      if (opened === undefined) break;
      groups[index] = opened.group;
      bytes += opened.bytes + rowBytes;
    }
    this.#bytes = bytes;
    return row;
  }

  /** Finds or makes the group of a row; undefined when it does not fit into `room`. */
  #open(
    from: ChunkGroup,
    room: number,
    obliged: boolean,
  ): { group: BatchGroup; bytes: number } | undefined {
    let assets = this.#bySignals.get(from.signalsKey);
    const known = assets?.get(from.asset);
    if (known !== undefined) return room < 0 ? undefined : { group: known, bytes: 0 };
    let bytes = groupBytes(from);
    if (bytes > room && !obliged) return undefined;
    const earlier = this.#tail?.newest(from.signalsKey, from.asset);
    let lookback: AssetReadings['lookback'];
    if (earlier !== undefined) {
      const fitting = newestThatFit(earlier.sizes, room - bytes - lookbackBytes(from));
      if (fitting.rows < earlier.seq.length && !obliged) return undefined;
      if (fitting.rows > 0) {
        lookback = {
          t: earlier.t.slice(-fitting.rows),
          values: earlier.values.map((column) => column.slice(-fitting.rows)),
        };
        bytes += lookbackBytes(from) + fitting.bytes;
      }
    }
    const { asset, signals, signalsKey } = from;
    const group = { asset, signals, signalsKey, rows: noRows(signals.length), lookback };
    if (assets === undefined) {
      assets = new Map();
      this.#bySignals.set(signalsKey, assets);
    }
    assets.set(asset, group);
    this.#groups.push(group);
    return { group, bytes };
  }
}

function newestThatFit(sizes: readonly number[], room: number): { rows: number; bytes: number } {
  let rows = 0;
  let bytes = 0;
  for (let index = sizes.length - 1; index >= 0; index -= 1) {
    if (bytes + sizes[index]! > room) break;
    bytes += sizes[index]!;
    rows += 1;
  }
  return { rows, bytes };
}

const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/** `{"asset":A,"signals":S,"seq":[],"t":[],"values":[[],[]]},` */
const groupBytes = (group: ChunkGroup): number =>
  52 + jsonBytes(group.asset) + jsonBytes(group.signals) + 3 * group.signals.length;

/** `,"lookback":{"t":[],"values":[[],[]]}` */
const lookbackBytes = (group: ChunkGroup): number => 34 + 3 * group.signals.length;
