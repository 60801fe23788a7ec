import { createHash, hash } from 'node:crypto';
import { type FileHandle, lstat, open, opendir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BundleError, isBundleError } from './errors.ts';

export const MANIFEST = 'model.json';
export const MODEL = 'model.onnx';
export const GOLDEN = 'golden.json';

/** A bundle has a handful of files. Beyond, the folder is something else, a home directory say. */
const FILES_MAX = 1_000;

/** The files of one bundle. Each is read for its digest at most once, however often that is asked for. */
export class BundleFolder {
  readonly path: string;
  readonly #digests = new Map<string, Promise<string>>();

  private constructor(path: string) {
    this.path = path;
  }

  /** @throws BundleError BUNDLE_NO_FOLDER */
  static async open(path: string): Promise<BundleFolder> {
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory()) return new BundleFolder(path);
    throw new BundleError('BUNDLE_NO_FOLDER', `${path} is not a folder that can be read`);
  }

  /** @throws BundleError BUNDLE_FILE_MISSING */
  async openFile(name: string): Promise<FileHandle> {
    try {
      return await open(join(this.path, name), 'r');
    } catch (cause) {
      const why =
        (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'is missing' : 'cannot be read';
      const message = `${name} ${why} in ${this.path}`;
      throw new BundleError('BUNDLE_FILE_MISSING', message, { file: name, cause });
    }
  }

  /** The whole of a small file; the same bytes as those that its digest was made of. @throws BundleError */
  async readSmall(name: string, bytesMax: number): Promise<Buffer> {
    const file = await this.openFile(name);
    try {
      const { size } = await file.stat();
      if (size > bytesMax) {
        const message = `${name}: has ${size} bytes, must have at most ${bytesMax}`;
        throw new BundleError('BUNDLE_NOT_JSON', message, { file: name });
      }
      const bytes = await readFile(file);
      await this.#mustBeAsBefore(name, hash('sha256', bytes, 'hex'));
      return bytes;
    } catch (cause) {
      if (isBundleError(cause)) throw cause;
      throw new BundleError('BUNDLE_FILE_MISSING', `${name} cannot be read`, { file: name, cause });
    } finally {
      await file.close();
    }
  }

  /** SHA-256 of a file as hex. @throws BundleError BUNDLE_FILE_MISSING */
  digestOf(name: string): Promise<string> {
    const known = this.#digests.get(name);
    if (known !== undefined) return known;
    const digest = this.#hash(name);
    this.#digests.set(name, digest);
    return digest;
  }

  /**
   * Paths of all files, folders inside included, sorted; `/` between parts. What is neither file nor folder, a symbolic
   * link above all, is refused: it can lead anywhere, and elsewhere tomorrow.
   * @throws BundleError BUNDLE_ALTERED
   */
  async list(): Promise<string[]> {
    const names: string[] = [];
    const start = join(this.path, '/').length;
    try {
      for await (const entry of await opendir(this.path, { recursive: true })) {
        if (entry.isDirectory()) continue;
        const name = join(entry.parentPath, entry.name).slice(start).replaceAll('\\', '/');
        if (!entry.isFile()) {
          const what = entry.isSymbolicLink() ? 'a symbolic link' : 'not a plain file';
          throw new BundleError('BUNDLE_ALTERED', `${name} is ${what}`, { file: name });
        }
        names.push(name);
        if (names.length <= FILES_MAX) continue;
        const message = `${this.path} has more than ${FILES_MAX} files`;
        throw new BundleError('BUNDLE_ALTERED', message);
      }
    } catch (cause) {
      if (isBundleError(cause)) throw cause;
      throw new BundleError('BUNDLE_NO_FOLDER', `${this.path} cannot be listed`, { cause });
    }
    return names.sort();
  }

  /** Bytes of a plain file, undefined for a link, a folder or nothing. */
  async sizeOf(name: string): Promise<number | undefined> {
    const found = await lstat(join(this.path, name)).catch(() => undefined);
    return found?.isFile() ? found.size : undefined;
  }

  async #mustBeAsBefore(name: string, digest: string): Promise<void> {
    const before = this.#digests.get(name);
    if (before === undefined) this.#digests.set(name, Promise.resolve(digest));
    else if ((await before) !== digest) {
      const message = `${name} was changed while the bundle was read`;
      throw new BundleError('BUNDLE_ALTERED', message, { file: name });
    }
  }

  async #hash(name: string): Promise<string> {
    const file = await this.openFile(name);
    const sum = createHash('sha256');
    try {
      for await (const piece of file.createReadStream({ autoClose: false })) sum.update(piece);
    } catch (cause) {
      throw new BundleError('BUNDLE_FILE_MISSING', `${name} cannot be read`, { file: name, cause });
    } finally {
      await file.close();
    }
    return sum.digest('hex');
  }
}
