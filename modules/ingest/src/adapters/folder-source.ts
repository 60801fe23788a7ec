import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Journal } from '@holdfast/journal';
import { type Log, replaceFile } from '@holdfast/module-host';
import { formatOfFile } from '../domain/read-chunk.ts';
import { codeOf } from '../errors.ts';
import { isBusy, type Pipeline } from '../pipeline.ts';
import { FolderCursor } from './folder-cursor.ts';
import { type FileOutcome, readFileInto } from './folder-file.ts';
import type { Source } from './source.ts';

export interface FolderSourceParts {
  pipeline: Pipeline;
  journal: Journal;
  log: Log;
  folder: string;
  /** File in which the position survives a restart. */
  cursorPath: string;
}

interface FolderSettings {
  folderPollMs: number;
  bodyBytesMax: number;
}

/**
 * Source `folder`: reads the files that appear in a folder, one after the other, oldest name first. A file must
 * appear complete, by a rename from a name with another ending (`.part`, `.tmp`). When all of it is durable it
 * moves to `done/`, with `<name>.problems.json` beside it if rows were refused; to `failed/` if no row was good.
 */
export class FolderSource implements Source {
  readonly name = 'folder';
  readonly #parts: FolderSourceParts;
  readonly #cursor: FolderCursor;
  #settings: FolderSettings;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();
  #stopping = false;
  #trouble: string | undefined;

  constructor(parts: FolderSourceParts, settings: FolderSettings) {
    this.#parts = parts;
    this.#settings = settings;
    this.#cursor = new FolderCursor(parts.cursorPath);
  }

  async start(): Promise<void> {
    await this.#prepare();
    this.#next(0);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    await this.#round;
  }

  health(): string | undefined {
    return this.#trouble;
  }

  apply(settings: FolderSettings): void {
    this.#settings = settings;
  }

  #next(delayMs: number): void {
    if (this.#stopping) return;
    this.#timer = setTimeout(() => {
      this.#round = this.#look().finally(() => this.#next(this.#settings.folderPollMs));
    }, delayMs);
  }

  /** Trouble with the folder or a full journal ends the round; the next one begins where this one was. */
  async #look(): Promise<void> {
    try {
      await this.#prepare();
      const names = (await readdir(this.#parts.folder)).filter((name) => formatOfFile(name));
      for (const name of names.sort()) {
        if (this.#stopping) return;
        await this.#take(name);
      }
      this.#trouble = undefined;
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#trouble && !isBusy(error)) {
        this.#parts.log.warn('Input folder cannot be read, trying again', {
          folder: this.#parts.folder,
          code: codeOf(error),
          message,
        });
      }
      this.#trouble = message;
    }
  }

  async #take(name: string): Promise<void> {
    const path = join(this.#parts.folder, name);
    if (!(await stat(path)).isFile()) return;
    const outcome = await readFileInto(path, name, {
      pipeline: this.#parts.pipeline,
      journal: this.#parts.journal,
      cursor: this.#cursor,
      bodyBytesMax: this.#settings.bodyBytesMax,
      stopping: () => this.#stopping,
    });
    if (outcome !== undefined) await this.#finish(path, name, outcome);
  }

  async #finish(path: string, name: string, outcome: FileOutcome): Promise<void> {
    const { accepted, refused, problems } = outcome;
    const folder = join(this.#parts.folder, accepted === 0 && refused > 0 ? 'failed' : 'done');
    const target = await freeName(folder, name);
    if (refused > 0) {
      const report = { file: name, accepted, refused, problems };
      replaceFile(`${target}.problems.json`, `${JSON.stringify(report, undefined, 2)}\n`);
    }
    await rename(path, target);
    this.#parts.log.info('File taken in', { file: name, accepted, refused });
  }

  async #prepare(): Promise<void> {
    for (const part of ['done', 'failed']) {
      await mkdir(join(this.#parts.folder, part), { recursive: true });
    }
  }
}

/** A path in `folder` that no file has yet: the name, or the name with a number. */
async function freeName(folder: string, name: string): Promise<string> {
  for (let count = 0; ; count += 1) {
    const candidate = join(folder, count === 0 ? name : `${name}.${count}`);
    const taken = await stat(candidate).then(
      () => true,
      () => false,
    );
    if (!taken) return candidate;
  }
}
