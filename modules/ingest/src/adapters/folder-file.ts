import { type FileHandle, open } from 'node:fs/promises';
import type { Journal } from '@holdfast/journal';
import type { Intake, Refusal } from '../domain/intake.ts';
import {
  type FileFormat,
  fileTooLarge,
  formatOfFile,
  linesIn,
  openCsv,
  readChunk,
} from '../domain/read-chunk.ts';
import { LINE_LENGTH_MAX, lineFault } from '../domain/read-text.ts';
import type { Pipeline } from '../pipeline.ts';
import type { FileCursor, FolderCursor } from './folder-cursor.ts';

/** Bytes read at once. One transaction each, so a file never holds up other sources for long. */
export const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 10;

export interface FileReadParts {
  pipeline: Pipeline;
  journal: Journal;
  cursor: FolderCursor;
  bodyBytesMax: number;
  /** True when the source is to stop; the file goes on at the next start. */
  stopping(): boolean;
}

/** What reading a file came to. */
export interface FileOutcome {
  accepted: number;
  refused: number;
  /** The first refused rows that this process has seen. */
  problems: Refusal[];
}

/** What is kept under the idempotency key of a chunk. */
type ChunkResult = Pick<FileCursor, 'offset' | 'line' | 'accepted' | 'refused'>;

/**
 * Reads one file into the journal, in chunks that end at a line end, each exactly once: the chunk's key holds the
 * file's identity and offset and commits with its readings. Undefined when it was told to stop before the end.
 */
export async function readFileInto(
  path: string,
  name: string,
  parts: FileReadParts,
): Promise<FileOutcome | undefined> {
  const file = await open(path, 'r');
  try {
    const { dev, ino, size, mtimeMs } = await file.stat();
    const identity = `${dev}-${ino}-${size}-${Math.round(mtimeMs)}`;
    return await new FileRead(file, { name, identity, size }, parts).run();
  } finally {
    await file.close();
  }
}

class FileRead {
  readonly #file: FileHandle;
  readonly #about: { name: string; identity: string; size: number };
  readonly #parts: FileReadParts;
  readonly #problems: Refusal[] = [];

  constructor(
    file: FileHandle,
    about: { name: string; identity: string; size: number },
    parts: FileReadParts,
  ) {
    this.#file = file;
    this.#about = about;
    this.#parts = parts;
  }

  async run(): Promise<FileOutcome | undefined> {
    const { identity, size } = this.#about;
    let cursor = this.#parts.cursor.read(identity);
    const format = await this.#format(cursor);
    if (format === undefined) return this.#outcome({ ...cursor, refused: cursor.refused + 1 });
    while (cursor.offset < size) {
      if (this.#parts.stopping()) return undefined;
      cursor = await this.#step(cursor, format);
      this.#parts.cursor.write(cursor);
    }
    return this.#outcome(cursor);
  }

  /** Undefined when the file as a whole is refused. */
  async #format(cursor: FileCursor): Promise<FileFormat | undefined> {
    const kind = formatOfFile(this.#about.name);
    const { size } = this.#about;
    if (kind === 'ndjson') return { kind };
    const intake = this.#parts.pipeline.intake({ unit: 'line' });
    if (kind === 'csv') {
      const head = await this.#read(0, CHUNK_BYTES);
      const end = head.indexOf(NEWLINE);
      const line = head.subarray(0, end < 0 ? head.length : end).toString('utf8');
      const format = openCsv(line.replace(/\r$/, ''), intake);
      if (format !== undefined) {
        if (cursor.offset > 0) return format;
        cursor.offset = end < 0 ? size : end + 1;
        cursor.line = 2;
        return format;
      }
    } else if (size <= this.#parts.bodyBytesMax) return { kind: 'json' };
    else intake.refuse(0, fileTooLarge(size, this.#parts.bodyBytesMax));
    this.#refused(intake);
    return undefined;
  }

  async #step(cursor: FileCursor, format: FileFormat): Promise<FileCursor> {
    const id = `file:${cursor.file}:${cursor.offset}`;
    const known = this.#parts.journal.findKey(id);
    if (known !== undefined) return { ...cursor, ...(JSON.parse(known.result) as ChunkResult) };
    const chunk = await this.#chunk(cursor, format);
    const unit = format.kind === 'json' ? 'row' : 'line';
    const intake = this.#parts.pipeline.intake({ unit });
    if (chunk.tooLong) intake.refuse(cursor.line, lineFault(chunk.bytes.length));
    else readChunk(chunk.bytes.toString('utf8'), format, intake, cursor.line);
    const next = {
      offset: cursor.offset + chunk.length,
      line: cursor.line + chunk.lines,
      accepted: cursor.accepted + intake.accepted.length,
      refused: cursor.refused + intake.refusedCount,
    };
    const key = { id, digest: '', result: JSON.stringify(next satisfies ChunkResult) };
    const what = this.#about.name;
    await this.#parts.pipeline.accept(intake, { source: 'folder', what, key });
    this.#keep(intake);
    return { ...cursor, ...next };
  }

  /** From the cursor to the last line end within reach; a line that has none within its limit is passed over. */
  async #chunk(
    cursor: FileCursor,
    format: FileFormat,
  ): Promise<{ bytes: Buffer; length: number; lines: number; tooLong: boolean }> {
    const left = this.#about.size - cursor.offset;
    if (format.kind === 'json') {
      const bytes = await this.#read(cursor.offset, left);
      return { bytes, length: left, lines: 0, tooLong: false };
    }
    for (const reach of [CHUNK_BYTES, LINE_LENGTH_MAX * 4]) {
      const bytes = await this.#read(cursor.offset, Math.min(reach, left));
      const end = bytes.length === left ? left : bytes.lastIndexOf(NEWLINE) + 1;
      if (end === 0) continue;
      const whole = bytes.subarray(0, end);
      return { bytes: whole, length: end, lines: linesIn(whole), tooLong: false };
    }
    const length = await this.#lineLength(cursor.offset);
    return { bytes: Buffer.alloc(0), length, lines: 1, tooLong: true };
  }

  async #lineLength(offset: number): Promise<number> {
    for (let at = offset; at < this.#about.size; at += CHUNK_BYTES) {
      const bytes = await this.#read(at, CHUNK_BYTES);
      const end = bytes.indexOf(NEWLINE);
      if (end >= 0) return at + end + 1 - offset;
    }
    return this.#about.size - offset;
  }

  async #read(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.#about.size - offset)));
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await this.#file.read(
        bytes,
        filled,
        bytes.length - filled,
        offset + filled,
      );
      if (bytesRead === 0) throw new Error('the file became shorter while it was read');
      filled += bytesRead;
    }
    return bytes;
  }

  #refused(intake: Intake): void {
    this.#parts.pipeline.refused(intake, { source: 'folder', what: this.#about.name });
    this.#keep(intake);
  }

  #keep(intake: Intake): void {
    const room = 100 - this.#problems.length;
    if (room > 0) this.#problems.push(...intake.refusals.slice(0, room));
  }

  #outcome({ accepted, refused }: FileCursor): FileOutcome {
    return { accepted, refused, problems: this.#problems };
  }
}
