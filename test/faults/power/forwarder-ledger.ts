import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { LogEntry } from '../disk/log.ts';
import type { KeptBlob } from './blob-store.ts';
import type { Said } from './forwarder-workload.ts';
import { linesOf } from './recorded.ts';

/** What the forwarder has promised up to some moment, and what the blob store has by then. */
export class ForwarderLedger {
  /** Receipts that have left, by stream. */
  readonly receipted = new Map<string, number>();
  readonly blobs = new Map<string, KeptBlob>();
  /** Blobs that were counted as delivered. */
  settled = 0;
  readonly #said: { said: Said; at: number }[];
  readonly #folder: string;
  #taken = 0;

  /** @param folder with the bodies of the blobs */
  constructor(entries: readonly LogEntry[], folder: string) {
    this.#folder = folder;
    this.#said = linesOf(entries).map(({ line, at }) => ({ said: JSON.parse(line) as Said, at }));
  }

  /** Takes what was said before this entry of the log. */
  advance(at: number): void {
    for (; this.#taken < this.#said.length; this.#taken += 1) {
      const next = this.#said[this.#taken]!;
      if (next.at > at) return;
      this.#take(next.said);
    }
  }

  #take(said: Said): void {
    if ('receipts' in said) {
      for (const { stream, through } of said.receipts) this.receipted.set(stream, through);
    } else if ('put' in said) {
      const body = readFileSync(path.join(this.#folder, String(said.file)));
      this.blobs.set(said.put, { body, metadata: said.metadata });
    } else this.settled += 1;
  }
}
