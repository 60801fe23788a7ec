import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { replaceFile } from '@holdfast/module-host';

/** How far a file has been read: everything before `offset` is in the journal. */
export interface FileCursor {
  /** Identity of the file: device, inode, size and time of change. */
  file: string;
  offset: number;
  /** Number of the line that begins at `offset`, from 1. */
  line: number;
  accepted: number;
  refused: number;
}

/**
 * Remembers the position in the one file that is being read. What counts is the idempotency key of each chunk,
 * stored in the same transaction as its readings; this file only tells after a restart where to begin asking,
 * so that it does not matter that the journal forgets old keys. It is at most one chunk behind.
 */
export class FolderCursor {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  read(file: string): FileCursor {
    const start: FileCursor = { file, offset: 0, line: 1, accepted: 0, refused: 0 };
    try {
      const cursor = cursorIn(readFileSync(this.#path, 'utf8'));
      return cursor?.file === file ? cursor : start;
    } catch {
      return start;
    }
  }

  write(cursor: FileCursor): void {
    replaceFile(this.#path, JSON.stringify({ ...cursor, sum: sumOf(cursor) }));
  }
}

/** A bit that flips in an offset would leave out a part of a file, so what does not prove itself says nothing. */
function cursorIn(text: string): FileCursor | undefined {
  const { sum, ...cursor } = JSON.parse(text) as FileCursor & { sum?: number };
  const names = Object.keys(cursor).sort().join();
  if (names !== 'accepted,file,line,offset,refused') return undefined;
  // Without a sum: written by a version that knew none.
  return sum === undefined || sum === sumOf(cursor) ? cursor : undefined;
}

const sumOf = ({ file, offset, line, accepted, refused }: FileCursor): number =>
  crc32(JSON.stringify([file, offset, line, accepted, refused]));
