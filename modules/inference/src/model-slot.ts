import type { TrustPolicy } from '@holdfast/model-bundle';
import type { Log } from '@holdfast/module-host';
import { type LoadedModel, loadModel } from './adapters/load-model.ts';

/** A bundle may be mounted or mended later: look again this often while there is none, in ms. */
const RETRY_MS = 30_000;

export interface ModelSlotOptions {
  /** Of the bundle; undefined when none was configured. */
  folder: string | undefined;
  trust?: TrustPolicy;
  workerUrl: URL;
  log: Log;
  /** @default 30,000 */
  retryMs?: number;
  /** Another model, or none, is in the slot. */
  onChange(): void;
  /** The model's worker ended by itself. */
  onRestart(): void;
}

/**
 * Holds the one model in use, or says why there is none. States: *empty* (no folder given, or the last try failed;
 * tried again every half minute), *loading* (what was in the slot stays in use meanwhile, and afterwards if the load
 * fails), *full*.
 */
export class ModelSlot {
  readonly #options: ModelSlotOptions;
  #model: LoadedModel | undefined;
  #problem: string | undefined;
  #threads = 1;
  #timer: NodeJS.Timeout | undefined;
  #tail: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: ModelSlotOptions) {
    this.#options = options;
    if (options.folder === undefined) this.#problem = 'HOLDFAST_MODEL_DIR is not set';
  }

  get model(): LoadedModel | undefined {
    return this.#model;
  }
  /** Why there is no model, as a sentence part; undefined when there is one. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Loads the folder's bundle and puts it in place of what is there. Never rejects; see `problem`. */
  load(intraOpNumThreads: number): Promise<void> {
    this.#threads = intraOpNumThreads;
    this.#tail = this.#tail.then(() => this.#load());
    return this.#tail;
  }

  /** The worker could not be kept alive: without a model until it can be loaded again. */
  lost(model: LoadedModel, reason: string): void {
    if (this.#model !== model) return;
    this.#fail(reason);
    void model.scorer.close();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#tail;
    await this.#model?.scorer.close();
  }

  async #load(): Promise<void> {
    const { folder, trust, workerUrl, log } = this.#options;
    clearTimeout(this.#timer);
    if (folder === undefined || this.#closed) return;
    try {
      const model = await loadModel({
        folder,
        ...(trust === undefined ? {} : { trust }),
        workerUrl,
        intraOpNumThreads: this.#threads,
        onRestart: (reason) => {
          log.warn("The model's worker ended and is started anew", { reason });
          this.#options.onRestart();
        },
      });
      const before = this.#model;
      this.#model = model;
      this.#problem = undefined;
      const { identity, manifest, signedBy } = model;
      log.info('Model loaded', { ...identity, rows: manifest.inputs.rows, signedBy });
      this.#options.onChange();
      await before?.scorer.close();
    } catch (error) {
      const problem = (error as Error).message;
      if (this.#model === undefined) this.#fail(problem);
      else log.error('The model could not be loaded anew, the one in use stays', { problem });
    }
  }

  #fail(problem: string): void {
    const { log, folder } = this.#options;
    // Said once, not at every try.
    if (problem !== this.#problem) {
      log.error('There is no usable model, rows stay unscored', { folder, problem });
    }
    this.#model = undefined;
    this.#problem = problem;
    this.#options.onChange();
    if (this.#closed) return;
    this.#timer = setTimeout(
      () => void this.load(this.#threads),
      this.#options.retryMs ?? RETRY_MS,
    );
    this.#timer.unref();
  }
}
