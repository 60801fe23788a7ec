import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { SourceError } from './errors.ts';

export interface PartialPlaces {
  /** The bytes so far. */
  part: string;
  /** The validator that they came with. */
  from: string;
  /** The whole file, once it is verified. */
  whole: string;
}

/**
 * A file on its way. What is on disk at any kill is a beginning of it: bytes are only appended, and the digest over
 * all of them decides at the end. After a power cut the end may be zeros; then the digest says so and it starts anew.
 */
export class PartialFile {
  readonly #places: PartialPlaces;
  readonly #file: FileHandle;
  #hash = createHash('sha256');
  #bytes = 0;
  #validator: string | undefined;

  private constructor(places: PartialPlaces, file: FileHandle) {
    this.#places = places;
    this.#file = file;
  }

  /** Opens what an earlier call has left, or nothing. The folders must be there. */
  static async open(places: PartialPlaces): Promise<PartialFile> {
    const file = await onDisk(() => open(places.part, 'a+'));
    const partial = new PartialFile(places, file);
    partial.#validator = await readFile(places.from, 'utf8').catch(() => undefined);
    try {
      for await (const piece of createReadStream(places.part)) partial.#count(piece);
    } catch {
      // What cannot be read is fetched again.
      await partial.restart(undefined);
    }
    return partial;
  }

  get bytes(): number {
    return this.#bytes;
  }
  /** What the bytes so far belong to; undefined when the source did not say or there are none. */
  get validator(): string | undefined {
    return this.#bytes === 0 ? undefined : this.#validator;
  }

  async append(bytes: Buffer): Promise<void> {
    await onDisk(() => this.#file.appendFile(bytes));
    this.#count(bytes);
  }

  /** Forgets all bytes; those that come now belong to this validator. */
  async restart(validator: string | undefined): Promise<void> {
    await onDisk(() => this.#file.truncate(0));
    this.#hash = createHash('sha256');
    this.#bytes = 0;
    this.#validator = validator;
    if (validator === undefined) await rm(this.#places.from, { force: true });
    else await onDisk(() => writeFile(this.#places.from, validator));
  }

  /** Makes it the whole file if the digest is right. False: it is not, and must be restarted. */
  async finish(digest: string): Promise<boolean> {
    if (`sha256:${this.#hash.copy().digest('hex')}` !== digest) return false;
    await onDisk(() => this.#file.sync());
    await onDisk(() => rename(this.#places.part, this.#places.whole));
    return true;
  }

  /** Puts what is there on disk and lets go of it. */
  async close(): Promise<void> {
    await this.#file.sync().catch(() => undefined);
    await this.#file.close();
  }

  #count(bytes: Buffer): void {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
  }
}

/** Runs a step on the local disk and says so when it fails. */
export async function onDisk<T>(step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const full = code === 'ENOSPC' || code === 'EDQUOT';
    const text = full ? `the disk is full: ${message}` : message;
    throw new SourceError(full ? 'SOURCE_NO_ROOM' : 'SOURCE_DISK', text, { cause });
  }
}
