import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type Log, replaceFile } from '@holdfast/module-host';
import type { CandidateState } from './domain/candidate.ts';

/** Candidates whose evidence is kept: the slots of a twin twice over. */
const KEPT_MAX = 32;

/**
 * What is known of each candidate, over restarts: a small file, replaced as a whole. A loss of it, or of its last
 * minutes, makes a verdict come later, never a wrong one.
 */
export class EvidenceStore {
  readonly #file: string;
  readonly #log: Log;
  readonly #states: Map<string, CandidateState>;

  constructor(folder: string, log: Log) {
    this.#file = join(folder, 'rollout.json');
    this.#log = log;
    this.#states = new Map(Object.entries(this.#read()));
  }

  get(key: string): CandidateState | undefined {
    return this.#states.get(key);
  }

  set(key: string, state: CandidateState): void {
    this.#states.delete(key);
    this.#states.set(key, state);
    for (const oldest of this.#states.keys()) {
      if (this.#states.size <= KEPT_MAX) return;
      this.#states.delete(oldest);
    }
  }

  delete(key: string): void {
    this.#states.delete(key);
  }

  /** Never throws: evidence comes again. */
  save(): void {
    const candidates = Object.fromEntries(this.#states);
    const sum = crc32(JSON.stringify(candidates));
    try {
      replaceFile(this.#file, JSON.stringify({ v: 1, candidates, sum }));
    } catch (error) {
      const { message } = error as Error;
      this.#log.error('The evidence on candidates could not be kept', { message });
    }
  }

  #read(): Record<string, CandidateState> {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch {
      return {};
    }
    try {
      const { v, candidates, sum } = JSON.parse(text) as Record<string, unknown>;
      if (v === 1 && crc32(JSON.stringify(candidates)) === sum) {
        return candidates as Record<string, CandidateState>;
      }
    } catch {
      // As below.
    }
    this.#log.warn('The evidence on candidates is damaged and begins anew', { file: this.#file });
    return {};
  }
}
