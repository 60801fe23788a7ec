import type { Seeded } from '@holdfast/testkit';
import type { BlobTarget, Upload } from '../../modules/forwarder/src/adapters/blob-target.ts';
import { UploadFailure } from '../../modules/forwarder/src/adapters/upload-failure.ts';

/**
 * - `up`: answers, now and then with an error, now and then with an answer that gets lost.
 * - `down`: nobody there.
 * - `throttling`: asks for pauses.
 */
export type StoreMode = 'up' | 'down' | 'throttling';

interface Put {
  upload: Upload;
  resolve(outcome: 'created' | 'exists'): void;
  reject(error: UploadFailure): void;
}

/** A place for blobs behind a link that the simulation cuts. Each `answerOne` is a step. */
export class SimulatedStore {
  mode: StoreMode = 'up';
  /** Probability that a stored blob's answer is lost. */
  loseAnswer = 0;
  readonly blobs = new Map<string, Upload>();
  readonly #random: Seeded;
  readonly #waiting: Put[] = [];

  constructor(random: Seeded) {
    this.#random = random;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** The way to the store for one life of the forwarder: what `settled` holds back, nobody learns. */
  target(settled: (settle: () => void) => void): BlobTarget {
    return {
      put: (upload) =>
        new Promise((resolve, reject) => {
          this.#waiting.push({
            upload: { ...upload, body: Uint8Array.from(upload.body) },
            resolve: (outcome) => settled(() => resolve(outcome)),
            reject: (error) => settled(() => reject(error)),
          });
        }),
    };
  }

  answerOne(): void {
    const put = this.#waiting.shift();
    if (put === undefined) return;
    if (this.mode === 'down') {
      put.reject(new UploadFailure('transport', 'nobody answers'));
      return;
    }
    if (this.mode === 'throttling') {
      const retryAfterMs = this.#random.int(0, 5_000);
      put.reject(new UploadFailure('throttled', 'asks for a pause', { retryAfterMs, status: 503 }));
      return;
    }
    const outcome = this.#store(put.upload);
    if (outcome === 'taken') {
      put.reject(new UploadFailure('blob', 'the name is taken by a blob with other records'));
    } else if (this.#random.chance(this.loseAnswer)) {
      put.reject(new UploadFailure('transport', 'the answer was lost'));
    } else put.resolve(outcome);
  }

  #store(upload: Upload): 'created' | 'exists' | 'taken' {
    const known = this.blobs.get(upload.name);
    if (known === undefined) {
      this.blobs.set(upload.name, upload);
      return 'created';
    }
    return known.metadata.recordsHash === upload.metadata.recordsHash ? 'exists' : 'taken';
  }
}
