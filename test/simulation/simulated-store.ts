import type { Seeded } from '@holdfast/testkit';
import type { BlobTarget, Upload } from '../../modules/forwarder/src/adapters/blob-target.ts';
import { UploadFailure } from '../../modules/forwarder/src/adapters/upload-failure.ts';

/**
 * - `up`: answers, now and then with an error, now and then with an answer that gets lost.
 * - `down`: nobody there.
 * - `throttling`: asks for pauses.
 */
export type StoreMode = 'up' | 'down' | 'throttling';

/** A place for blobs behind a link that the simulation cuts. Each `answerOne` is a step. */
export class SimulatedStore {
  mode: StoreMode = 'up';
  /** Probability that a stored blob's answer is lost. */
  loseAnswer = 0;
  readonly blobs = new Map<string, Upload>();
  readonly #random: Seeded;
  /** Requests on their way, oldest first. */
  readonly #requests: (() => void)[] = [];

  constructor(random: Seeded) {
    this.#random = random;
  }

  /** The way to the store for one life of the forwarder: what `settled` holds back, nobody learns. */
  target(settled: (settle: () => void) => void): BlobTarget {
    return {
      put: (upload) =>
        new Promise((resolve, reject) => {
          const sent = { ...upload, body: Uint8Array.from(upload.body) };
          this.#requests.push(() => {
            const answer = this.#put(sent);
            settled(() => (typeof answer === 'string' ? resolve(answer) : reject(answer)));
          });
        }),
      holds: (name, recordsHash) =>
        new Promise((resolve, reject) => {
          this.#requests.push(() => {
            const there = this.blobs.get(name)?.metadata.recordsHash === recordsHash;
            settled(() => (this.mode === 'down' ? reject(nobody()) : resolve(there)));
          });
        }),
      silence: () =>
        new Promise((resolve) => {
          this.#requests.push(() => {
            const silence = this.mode === 'down' ? nobody() : undefined;
            settled(() => resolve(silence));
          });
        }),
    };
  }

  answerOne(): void {
    this.#requests.shift()?.();
  }

  #put(upload: Upload): 'created' | 'exists' | UploadFailure {
    if (this.mode === 'down') return nobody();
    if (this.mode === 'throttling') {
      const retryAfterMs = this.#random.int(0, 5_000);
      return new UploadFailure('throttled', 'asks for a pause', { retryAfterMs, status: 503 });
    }
    const outcome = this.#store(upload);
    if (outcome === 'taken') {
      return new UploadFailure('blob', 'the name is taken by a blob with other records');
    }
    const lost = this.#random.chance(this.loseAnswer);
    return lost ? new UploadFailure('transport', 'the answer was lost') : outcome;
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

const nobody = (): UploadFailure => new UploadFailure('transport', 'nobody answers');
