import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Attempts } from './attempts.ts';
import { SourceError } from './errors.ts';
import { fetchFile } from './fetch-file.ts';
import { FolderSource } from './folder-source.ts';
import { HttpClient } from './http-client.ts';
import type { WebAccess } from './https-source.ts';
import { filesOf } from './manifest-files.ts';
import { openSource } from './open-source.ts';
import { onDisk } from './partial-file.ts';
import {
  FETCH_LIMITS,
  type FetchedBundle,
  type FetchLimits,
  type FetchOptions,
  folderName,
} from './port.ts';
import { DIGEST, parseRef, showRef } from './ref.ts';
import { type BundleSource, MANIFEST, SIGNATURE, type SourceFile } from './source.ts';
import { BundlePlace, cleanPartials, digestOf, freeBytes, holdsBundle } from './store.ts';

/** Fetches that run in this process, by the place they write to. */
const running = new Map<string, Promise<unknown>>();

/**
 * Brings a bundle from where the ref says into a store of this machine, and gives its folder there.
 *
 * Guarantee: the folder appears whole, each byte covered by the digest and on disk, or not at all. Whatever ends the
 * call, or the process, leaves what was fetched so far, and the next call goes on from there. A bundle that is in the
 * store already is only verified, without the source. One process at a time may fetch into a store.
 *
 * Digests are all that is verified. Signature and contents are for `verifyBundle` and `readBundle`, before any use.
 * @param ref see `BundleRef`
 * @param digest SHA-256 of `model.json` that the bundle must have; undefined: whatever is there now
 * @throws SourceError
 */
export async function fetchBundle(
  ref: string,
  digest: string | undefined,
  options: FetchOptions,
): Promise<FetchedBundle> {
  const key = `${options.into} ${digest ?? ref}`;
  // A second caller waits and then finds the bundle, or goes on where the first one failed.
  while (running.has(key)) await running.get(key)?.catch(() => undefined);
  const fetched = new Fetch(ref, digest, options).run();
  running.set(key, fetched);
  try {
    return await fetched;
  } finally {
    running.delete(key);
  }
}

class Fetch {
  readonly #ref: string;
  readonly #wanted: string | undefined;
  readonly #options: FetchOptions;
  readonly #limits: FetchLimits;
  readonly #attempts: Attempts;
  readonly #http: HttpClient;
  #bytesFetched = 0;
  #bytesDone = 0;
  #bytesTotal: number | undefined;

  constructor(ref: string, digest: string | undefined, options: FetchOptions) {
    this.#ref = ref;
    this.#wanted = digest;
    this.#options = options;
    this.#limits = { ...FETCH_LIMITS, ...options.limits };
    this.#attempts = new Attempts(options, this.#limits);
    this.#http = new HttpClient(options, this.#limits, this.#attempts.signal);
  }

  async run(): Promise<FetchedBundle> {
    try {
      return await this.#run();
    } finally {
      this.#http.close();
    }
  }

  get #access(): WebAccess {
    const { credentials = {} } = this.#options;
    return { http: this.#http, credentials, limits: this.#limits, signal: this.#attempts.signal };
  }

  async #run(): Promise<FetchedBundle> {
    const wanted = this.#wanted;
    if (wanted !== undefined && !DIGEST.test(wanted)) {
      const text = `digest: "${wanted.slice(0, 80)}" is not allowed, must be sha256: and 64 hexadecimal digits`;
      throw new SourceError('SOURCE_REF', text);
    }
    const ref = parseRef(this.#ref);
    const { into, inPlace = false, refreshSignature = false } = this.#options;
    await onDisk(() => mkdir(into, { recursive: true }));
    if (this.#options.wanted !== undefined) {
      await cleanPartials(into, [
        ...this.#options.wanted,
        ...(wanted === undefined ? [] : [wanted]),
      ]);
    }
    const here = wanted === undefined || inPlace ? undefined : await this.#inStore(wanted);
    if (here !== undefined && !refreshSignature) return here;
    const source = openSource(ref, wanted, this.#access);
    const { bytes, manifestDigest } = await this.#attempts.run(() => source.manifest());
    const digest = digestOf(bytes);
    if (wanted !== undefined && digest !== wanted) {
      const text = `${showRef(this.#ref)} has the bundle ${digest}, wanted is ${wanted}`;
      throw new SourceError('SOURCE_DIGEST', text);
    }
    if (inPlace && source instanceof FolderSource) {
      if (await holdsBundle(source.folder, digest))
        return this.#result(source.folder, digest, undefined);
      throw new SourceError(
        'SOURCE_DIGEST',
        `${source.folder}: a file is not what the manifest names`,
      );
    }
    const place = new BundlePlace(into, digest);
    if (here === undefined) await this.#fetchFiles(source, place, bytes);
    else await place.resign(await this.#attempts.run(() => source.signature()));
    return this.#result(place.folder, digest, manifestDigest);
  }

  async #inStore(digest: string): Promise<FetchedBundle | undefined> {
    const { folder } = new BundlePlace(this.#options.into, digest);
    return (await holdsBundle(folder, digest))
      ? this.#result(folder, digest, undefined)
      : undefined;
  }

  async #fetchFiles(source: BundleSource, place: BundlePlace, manifest: Buffer): Promise<void> {
    const files = filesOf(manifest);
    const { filesMax } = this.#limits;
    if (files.length > filesMax) {
      const text = `the manifest names ${files.length} files, allowed are ${filesMax}`;
      throw new SourceError('SOURCE_TOO_LARGE', text);
    }
    await place.prepare();
    const missing = await this.#missing(source, place, files);
    await place.write(MANIFEST, manifest);
    this.#bytesFetched += manifest.length;
    for (const file of missing) {
      const before = this.#bytesDone - (await place.partBytes(file.name));
      await fetchFile(file, place.places(file.name), {
        source,
        attempts: this.#attempts,
        limits: this.#limits,
        admit: (_, { bytes, bytesHere }) => this.#admit(before + bytes, bytes - bytesHere),
        onBytes: (count, atBytes) => {
          this.#bytesFetched += count;
          this.#bytesDone = before + atBytes;
          this.#report(file.name);
        },
      });
    }
    const signature = await this.#attempts.run(() => source.signature());
    if (signature !== undefined) await place.write(SIGNATURE, signature);
    this.#attempts.check();
    await place.publish();
  }

  /** Files that are not whole yet, once it is known that there is room for them. */
  async #missing(
    source: BundleSource,
    place: BundlePlace,
    files: readonly SourceFile[],
  ): Promise<SourceFile[]> {
    const missing: SourceFile[] = [];
    for (const file of files) {
      const whole = await place.wholeBytes(file.name);
      if (whole === undefined) missing.push(file);
      this.#bytesDone += whole ?? (await place.partBytes(file.name));
    }
    const sizes = await this.#attempts.run(() => source.sizes(missing));
    let known = 0;
    let here = 0;
    for (const { name } of missing) {
      known += sizes.get(name) ?? 0;
      here += Math.min(await place.partBytes(name), sizes.get(name) ?? 0);
    }
    const total = this.#bytesDone - here + known;
    await this.#admit(total, known - here);
    if (missing.every(({ name }) => sizes.has(name))) this.#bytesTotal = total;
    return missing;
  }

  /** @throws SourceError when the bundle is beyond its limit, or what is missing does not fit on the volume */
  async #admit(totalBytes: number, missingBytes: number): Promise<void> {
    const { bundleBytesMax, freeBytesMin } = this.#limits;
    if (totalBytes > bundleBytesMax) {
      const text = `the bundle has at least ${totalBytes} bytes, allowed are ${bundleBytesMax}`;
      throw new SourceError('SOURCE_TOO_LARGE', text);
    }
    const free = await freeBytes(this.#options.into);
    if (missingBytes <= 0 || missingBytes + freeBytesMin <= free) return;
    const text = `${missingBytes} bytes are missing and ${freeBytesMin} must stay free, but only ${free} are free`;
    throw new SourceError('SOURCE_NO_ROOM', text);
  }

  #report(file: string): void {
    this.#options.onProgress?.({ bytesDone: this.#bytesDone, bytesTotal: this.#bytesTotal, file });
  }

  #result(folder: string, digest: string, manifestDigest: string | undefined): FetchedBundle {
    return { folder, digest, manifestDigest, bytesFetched: this.#bytesFetched };
  }
}

/** Folder of a bundle in a store. */
export const storedFolder = (into: string, digest: string): string =>
  join(into, folderName(digest));
