import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { filesOf } from './manifest-files.ts';
import { onDisk, type PartialPlaces } from './partial-file.ts';
import { folderName } from './port.ts';
import { MANIFEST, SIGNATURE } from './source.ts';

const PARTIAL = '.partial';

/**
 * The place of one bundle in a store, and of its bytes on the way there:
 * `<into>/.partial/sha256-<hex>/` with `bundle/` (whole files), `parts/` (beginnings) and `from/` (their validators).
 */
export class BundlePlace {
  readonly folder: string;
  readonly #into: string;
  readonly #partial: string;

  constructor(into: string, digest: string) {
    this.#into = into;
    this.folder = join(into, folderName(digest));
    this.#partial = join(into, PARTIAL, folderName(digest));
  }

  async prepare(): Promise<void> {
    for (const folder of ['bundle', 'parts', 'from']) {
      await onDisk(() => mkdir(join(this.#partial, folder), { recursive: true }));
    }
  }

  places(name: string): PartialPlaces {
    return {
      part: join(this.#partial, 'parts', name),
      from: join(this.#partial, 'from', name),
      whole: join(this.#partial, 'bundle', name),
    };
  }

  /** Size of the file if it is whole already, in bytes. */
  async wholeBytes(name: string): Promise<number | undefined> {
    return (await stat(this.places(name).whole).catch(() => undefined))?.size;
  }

  async partBytes(name: string): Promise<number> {
    return (await stat(this.places(name).part).catch(() => undefined))?.size ?? 0;
  }

  /** Writes a small file whole. */
  async write(name: string, bytes: Buffer): Promise<void> {
    const { part, whole } = this.places(name);
    await replaceFile(part, whole, bytes);
  }

  /** Gives the bundle in the store another signature; one that is gone at the source stays. */
  async resign(signature: Buffer | undefined): Promise<void> {
    if (signature === undefined) return;
    await this.prepare();
    await replaceFile(this.places(SIGNATURE).part, join(this.folder, SIGNATURE), signature);
    await syncFolder(this.folder);
    await rm(this.#partial, { recursive: true, force: true });
  }

  /** Shows the bundle in the store, in one step, in place of a damaged one. */
  async publish(): Promise<void> {
    const bundle = join(this.#partial, 'bundle');
    await syncFolder(bundle);
    await onDisk(() => rm(this.folder, { recursive: true, force: true }));
    await onDisk(() => rename(bundle, this.folder));
    await syncFolder(this.#into);
    await rm(this.#partial, { recursive: true, force: true });
  }
}

/** Takes away partial downloads of all digests but these. */
export async function cleanPartials(into: string, wanted: readonly string[]): Promise<void> {
  const kept = new Set(wanted.map(folderName));
  const found = await readdir(join(into, PARTIAL)).catch(() => []);
  for (const name of found) {
    if (kept.has(name)) continue;
    await onDisk(() => rm(join(into, PARTIAL, name), { recursive: true, force: true }));
  }
}

/** Bytes that may be written to the volume of a folder. */
export async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await onDisk(() => statfs(folder));
  return bavail * bsize;
}

/** True when the folder is the bundle of this digest: `model.json`, and every file that it names. */
export async function holdsBundle(folder: string, digest: string): Promise<boolean> {
  const manifest = await readFile(join(folder, MANIFEST)).catch(() => undefined);
  if (manifest === undefined || digestOf(manifest) !== digest) return false;
  for (const file of filesOf(manifest)) {
    if ((await digestOfFile(join(folder, file.name))) !== file.digest) return false;
  }
  return true;
}

export const digestOf = (bytes: Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** Undefined when it cannot be read. */
export async function digestOfFile(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const piece of createReadStream(path)) hash.update(piece);
  } catch {
    return undefined;
  }
  return `sha256:${hash.digest('hex')}`;
}

/** Writes a file by way of another name, whole or not at all, whatever happens meanwhile. */
export async function replaceFile(by: string, path: string, bytes: Buffer): Promise<void> {
  await onDisk(async () => {
    const file = await open(by, 'w');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(by, path);
  });
}

export async function syncFolder(path: string): Promise<void> {
  await onDisk(async () => {
    const folder = await open(path, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  });
}
