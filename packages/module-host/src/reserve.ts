import { randomFillSync } from 'node:crypto';
import { closeSync, fsync, openSync, statSync, truncateSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';

/** Written at once: a millisecond or two, so that nothing else waits for long. */
const PIECE_BYTES = 1024 * 1024;

/**
 * Room on disk that is taken before it is needed: a file of real blocks beside a database. When the disk is full and
 * something that was promised has to be written, the file gives its blocks up; when there is room again it takes
 * them back. Its content means nothing; it is random because a file system that compresses keeps zeros for nothing.
 */
export class Reserve {
  readonly #path: string;
  #filling = false;
  /** Counts releases, so that a fill under way sees that it is no longer wanted. */
  #releases = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Bytes on disk now. */
  get heldBytes(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Gives the blocks back to the file system at once. False when there were none. */
  release(): boolean {
    this.#releases += 1;
    if (this.heldBytes === 0) return false;
    truncateSync(this.#path);
    return true;
  }

  /**
   * Grows or shrinks to this size, in pieces between turns of the event loop. Never throws for a disk that is full
   * or fails: then it holds nothing, and the next call tries again.
   */
  async hold(bytes: number): Promise<void> {
    const held = this.heldBytes;
    if (this.#filling || held === bytes) return;
    this.#filling = true;
    try {
      if (held > bytes) truncateSync(this.#path, bytes);
      else await this.#fill(held, bytes);
    } catch {
      this.release();
    } finally {
      this.#filling = false;
    }
  }

  async #fill(from: number, to: number): Promise<void> {
    const releases = this.#releases;
    const file = openSync(this.#path, 'a', 0o600);
    try {
      for (let at = from; at < to && this.#releases === releases; at += PIECE_BYTES) {
        writeSync(file, randomFillSync(Buffer.allocUnsafe(Math.min(PIECE_BYTES, to - at))));
        await promisify(fsync)(file);
      }
    } finally {
      closeSync(file);
    }
  }
}
