import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';

/** An operation that fails. Nothing of it has happened then. */
export interface ShimFailure {
  operation: keyof typeof OPERATIONS;
  /** Which of the matching operations, from 1, counted from when this was set. */
  nth: number;
  errno: 'EIO' | 'ENOSPC';
  /** That one only, or that one and all after it. */
  lasting: boolean;
  /** End of the path that the file was opened by or is named by. @default every file of the folder */
  path?: string;
}

/** What can be changed while the process runs. */
export interface ShimChange {
  /** Added to each fsync and fdatasync, in ms. @default 0 */
  syncDelayMs?: number;
  /** null ends one. @default none */
  failure?: ShimFailure | null;
  /** Added to the wall clock; whole ms, also negative. The monotonic clock does not move. @default 0 */
  wallOffsetMs?: number;
}

/** Numbers of `enum operation` in shim/shim.h. `open` is opening in order to write. */
const OPERATIONS = { write: 1, sync: 2, truncate: 3, open: 4, rename: 5, unlink: 6 } as const;

/** Layout of `struct control` in shim/state.c. */
const BYTES = 4096;
const SLOT_BYTES = 512;
const COUNTS_AT = 3 * SLOT_BYTES;
const MATCHED_AT = COUNTS_AT + 24;
const PATH_BYTES_MAX = 256;

/**
 * The settings of a running shim: a small file that the process has mapped. There are two sets of settings, and the
 * first byte says which one counts, so a change is seen whole.
 */
export class ShimControl {
  readonly #file: string;
  readonly #now: Required<ShimChange> = { syncDelayMs: 0, failure: null, wallOffsetMs: 0 };
  #slot = 0;

  /** The file must be there. Begins with the settings that do nothing. */
  constructor(file: string) {
    this.#file = file;
  }

  static create(file: string): ShimControl {
    writeFileSync(file, Buffer.alloc(BYTES));
    return new ShimControl(file);
  }

  /** Changes what is named, and leaves the rest. A failure counts from here. */
  set({ syncDelayMs, failure, wallOffsetMs }: ShimChange): void {
    if (syncDelayMs !== undefined) this.#now.syncDelayMs = syncDelayMs;
    if (wallOffsetMs !== undefined) this.#now.wallOffsetMs = wallOffsetMs;
    if (failure !== undefined) this.#now.failure = failure;
    this.#slot = 1 - this.#slot;
    const file = openSync(this.#file, 'r+');
    try {
      writeSync(file, encode(this.#now), 0, SLOT_BYTES, (1 + this.#slot) * SLOT_BYTES);
      if (failure !== undefined) writeSync(file, Buffer.alloc(8), 0, 8, MATCHED_AT);
      writeSync(file, Buffer.of(this.#slot), 0, 1, 0);
    } finally {
      closeSync(file);
    }
  }

  /** Operations on files of the folder so far, over all processes with this file. */
  counts(): { writes: number; syncs: number; failed: number } {
    const counts = Buffer.alloc(24);
    const file = openSync(this.#file, 'r');
    readSync(file, counts, 0, counts.length, COUNTS_AT);
    closeSync(file);
    const at = (index: number): number => Number(counts.readBigUInt64LE(index * 8));
    return { writes: at(0), syncs: at(1), failed: at(2) };
  }
}

function encode({ syncDelayMs, failure, wallOffsetMs }: Required<ShimChange>): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES);
  slot.writeBigInt64LE(BigInt(wallOffsetMs), 0);
  slot.writeUInt32LE(Math.round(syncDelayMs * 1000), 8);
  if (failure === null) return slot;
  const name = Buffer.from(failure.path ?? '');
  if (name.length > PATH_BYTES_MAX) throw new RangeError(`the path of a failure is too long`);
  slot.writeUInt32LE(OPERATIONS[failure.operation], 12);
  slot.writeUInt32LE(constants.errno[failure.errno], 16);
  slot.writeUInt32LE(failure.lasting ? 1 : 0, 20);
  slot.writeBigUInt64LE(BigInt(failure.nth), 24);
  slot.writeUInt32LE(name.length, 32);
  name.copy(slot, 36);
  return slot;
}
