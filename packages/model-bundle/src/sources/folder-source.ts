import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SourceError } from './errors.ts';
import { lost, readManifest } from './manifest-files.ts';
import {
  type BundleSource,
  MANIFEST,
  type OpenedFile,
  SIGNATURE,
  type SourceFile,
} from './source.ts';
import { digestOf } from './store.ts';

/** Folders that are looked into on a stick; more is a mistake, such as the root of a disk. */
const FOLDERS_MAX = 2_000;
const PIECE_BYTES = 256 * 1024;

/** A bundle in a folder, or one of many below it, found by its digest. For mounts, network shares and sticks. */
export class FolderSource implements BundleSource {
  readonly #path: string;
  readonly #digest: string | undefined;
  #folder: string;

  /** @param digest which bundle, where there are several; undefined: the folder must be one */
  constructor(path: string, digest: string | undefined) {
    this.#path = path;
    this.#folder = path;
    this.#digest = digest;
  }

  /** Where the bundle is; known after `manifest`. */
  get folder(): string {
    return this.#folder;
  }

  async manifest(): Promise<{ bytes: Buffer; manifestDigest: undefined }> {
    const seen: string[] = [];
    for await (const folder of this.#folders()) {
      const bytes = await readManifest(join(folder, MANIFEST));
      if (bytes === undefined) continue;
      const digest = digestOf(bytes);
      if (this.#digest !== undefined && digest !== this.#digest) {
        seen.push(digest);
        continue;
      }
      this.#folder = folder;
      return { bytes, manifestDigest: undefined };
    }
    const found = seen.length === 0 ? 'no bundle is there' : `${seen.length} others are there`;
    const text = `${this.#path}: no bundle ${this.#digest ?? ''}; ${found}`;
    throw new SourceError(seen.length === 1 ? 'SOURCE_DIGEST' : 'SOURCE_NOT_FOUND', text);
  }

  async sizes(files: readonly SourceFile[]): Promise<ReadonlyMap<string, number>> {
    const sizes = new Map<string, number>();
    for (const { name } of files) sizes.set(name, (await this.#stat(name)).size);
    return sizes;
  }

  async open(
    file: SourceFile,
    from: { bytes: number; validator: string | undefined },
  ): Promise<OpenedFile> {
    const { size, mtimeMs } = await this.#stat(file.name);
    const validator = `${size} ${mtimeMs}`;
    const same = from.validator === validator && from.bytes <= size;
    const startBytes = same ? from.bytes : 0;
    const path = join(this.#folder, file.name);
    const body = createReadStream(path, { start: startBytes, highWaterMark: PIECE_BYTES });
    return { body, startBytes, sizeBytes: size, validator };
  }

  async signature(): Promise<Buffer | undefined> {
    return readManifest(join(this.#folder, SIGNATURE));
  }

  async #stat(name: string): Promise<{ size: number; mtimeMs: number }> {
    try {
      return await stat(join(this.#folder, name));
    } catch (cause) {
      throw lost(join(this.#folder, name), cause);
    }
  }

  /** The folder itself, then those in it, then those in these. */
  async *#folders(): AsyncGenerator<string> {
    let level = [this.#path];
    let count = 0;
    for (let depth = 0; depth <= 2; depth += 1) {
      const next: string[] = [];
      for (const folder of level) {
        count += 1;
        if (count > FOLDERS_MAX) return;
        yield folder;
        if (this.#digest === undefined) return;
        const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
        const inside = entries.filter(
          (entry) => entry.isDirectory() && !entry.name.startsWith('.'),
        );
        next.push(...inside.map((entry) => join(folder, entry.name)));
      }
      level = next.sort();
    }
  }
}
