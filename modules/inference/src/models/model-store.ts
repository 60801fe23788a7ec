import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cleanPartials, storedFolder } from '@holdfast/model-bundle';

/** What a removal is called until it is done, so that a half-removed bundle is never taken for one. */
const REMOVED = '.removed-';
const BUNDLE = /^sha256-[0-9a-f]{64}$/;

/**
 * Bundles on disk, `<folder>/sha256-<hex>/` each, by their digest. Written by the sources, which show a bundle whole or
 * not at all; here is what is found, and what may go. Whether a bundle is still what it was is for `verifyBundle`.
 */
export class ModelStore {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  folderOf(digest: string): string {
    return storedFolder(this.folder, digest);
  }

  async has(digest: string): Promise<boolean> {
    return (await stat(this.folderOf(digest)).catch(() => undefined))?.isDirectory() ?? false;
  }

  /** Takes a bundle away, in one step for whoever looks. */
  async remove(digest: string): Promise<void> {
    await this.#removeFolder(this.folderOf(digest));
  }

  /**
   * Keeps the bundles in use, and of the others the newest within `spareBytes`; removes the rest, partial downloads of
   * what is not in use among them. @returns bytes that are left, and how many bundles went
   */
  async sweep(
    inUse: ReadonlySet<string>,
    spareBytes: number,
  ): Promise<{ bytes: number; removed: number }> {
    await mkdir(this.folder, { recursive: true });
    await cleanPartials(this.folder, [...inUse]);
    const used = new Set([...inUse].map((digest) => this.folderOf(digest)));
    const found = await this.#bundles();
    let bytes = 0;
    let spare = 0;
    let removed = 0;
    for (const bundle of found) {
      const kept = used.has(bundle.folder) || spare + bundle.bytes <= spareBytes;
      if (kept) {
        bytes += bundle.bytes;
        if (!used.has(bundle.folder)) spare += bundle.bytes;
      } else {
        await this.#removeFolder(bundle.folder);
        removed += 1;
      }
    }
    return { bytes, removed };
  }

  /** Newest first; what a removal left behind is removed on the way. */
  async #bundles(): Promise<{ folder: string; bytes: number; fromMs: number }[]> {
    const bundles: { folder: string; bytes: number; fromMs: number }[] = [];
    for (const name of await readdir(this.folder)) {
      const folder = join(this.folder, name);
      if (name.startsWith(REMOVED)) await rm(folder, { recursive: true, force: true });
      if (!BUNDLE.test(name)) continue;
      const { mtimeMs } = await stat(folder);
      bundles.push({ folder, bytes: await bytesIn(folder), fromMs: mtimeMs });
    }
    return bundles.sort((a, b) => b.fromMs - a.fromMs);
  }

  async #removeFolder(folder: string): Promise<void> {
    const gone = join(this.folder, `${REMOVED}${folder.slice(-64)}`);
    await rm(gone, { recursive: true, force: true });
    await rename(folder, gone).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    await rm(gone, { recursive: true, force: true });
  }
}

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder)) bytes += (await stat(join(folder, name))).size;
  return bytes;
}
