import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { crc32 } from 'node:zlib';

/** Where one stream stood, in stored numbers. */
export interface MarkedStream {
  epoch: string;
  base: number;
  receipted: number;
  lost: number;
  appended: number;
}

interface Stored {
  epoch: string;
  storedBase: number;
  storedReceipted: number;
  lost: number;
  storedAppended: number;
}

export const markedStream = (stream: Stored): MarkedStream => ({
  epoch: stream.epoch,
  base: stream.storedBase,
  receipted: stream.storedReceipted,
  lost: stream.lost,
  appended: stream.storedAppended,
});

export interface MarkState {
  streams: MarkedStream[];
  /** Of the tables that hold readings: name, root page and text, as `schemaSum` makes it. */
  schema: number;
  /** Rows of lookback that are kept. */
  lookback: number;
  /** Written when the journal was closed in order. */
  clean: boolean;
}

/** What a mark says, and how far it can be believed. */
export interface FoundMark extends MarkState {
  /**
   * It is as new as the last commit: the machine has not been started since, so nothing written can be missing, or
   * it was closed in order. If not, it may be older than the journal; it is never newer.
   */
  exact: boolean;
}

/** Room for 64 streams. Two slots are written in turn, so that a torn one leaves the other. */
const SLOT_BYTES = 16_384;
const MAGIC = 'HFMARK1';

/** Names one run of the operating system: what is written within it is not lost, whoever is killed. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

interface Slot extends MarkState {
  number: number;
  boot: string;
}

export const markPath = (path: string): string => `${path}-mark`;

/** The newest slot that proves itself; undefined when there is none. */
export function readMark(path: string): FoundMark | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(markPath(path));
  } catch {
    return undefined;
  }
  let newest: Slot | undefined;
  for (let start = 0; start < 2 * SLOT_BYTES; start += SLOT_BYTES) {
    const slot = readSlot(bytes.subarray(start, start + SLOT_BYTES));
    if (slot !== undefined && slot.number > (newest?.number ?? -1)) newest = slot;
  }
  if (newest === undefined) return undefined;
  const { streams, schema, lookback, clean, boot } = newest;
  return { streams, schema, lookback, clean, exact: clean || (boot !== '' && boot === bootId()) };
}

function readSlot(bytes: Buffer): Slot | undefined {
  const end = bytes.indexOf(10);
  if (end < 0) return undefined;
  const match = /^HFMARK1 ([0-9a-f]{8}) (.*)$/.exec(bytes.toString('utf8', 0, end));
  if (match === null || Number.parseInt(match[1]!, 16) !== crc32(match[2]!)) return undefined;
  return JSON.parse(match[2]!) as Slot;
}

/**
 * A small file beside the journal that says how far the journal goes. It is written after each commit and before
 * the acknowledgement, without fsync: it costs a few microseconds, and can only be older than the journal, never
 * newer. So a journal that ends before its mark has lost its end to damage, which nothing in the file itself shows:
 * SQLite silently drops what stands behind a broken frame of its log. It is also a second copy of the table of
 * streams. Losing it costs this proof and nothing else, so trouble with it never stops the journal.
 */
export class Mark {
  readonly #path: string;
  readonly #boot = bootId();
  #file: number | undefined;
  #number = 0;

  /** Begins anew, whole or not at all: what the file said before has been read and used. */
  constructor(path: string, state: MarkState) {
    this.#path = markPath(path);
    this.#attempt(() => {
      const temporary = `${this.#path}.new`;
      this.#file = openSync(temporary, 'w+', 0o600);
      // Both slots now, so that later writes need no space.
      writeSync(this.#file, Buffer.alloc(2 * SLOT_BYTES, ' '));
      this.write(state, true);
      renameSync(temporary, this.#path);
    });
  }

  /** On disk, should the system survive, when this returns; `durable`: on disk in any case. */
  write(state: MarkState, durable: boolean): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#number += 1;
    const slot: Slot = { number: this.#number, boot: this.#boot, ...state };
    const text = JSON.stringify(slot);
    const line = `${MAGIC} ${crc32(text).toString(16).padStart(8, '0')} ${text}\n`;
    this.#attempt(() => {
      writeSync(file, line, (this.#number % 2) * SLOT_BYTES);
      if (durable) fsyncSync(file);
    });
  }

  close(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) this.#attempt(() => closeSync(file));
  }

  /** A mark that cannot be kept must not stay behind as if it were true. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch {
      const file = this.#file;
      this.#file = undefined;
      try {
        if (file !== undefined) closeSync(file);
        rmSync(this.#path, { force: true });
      } catch {
        // Then it stays, and says less than the journal, which is what a mark may do.
      }
    }
  }
}
