import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { ModelIdentity } from '@holdfast/contracts';

/** What was decided about a candidate, and on what grounds. */
export interface Decision {
  v: 1;
  /** Counts up, over restarts too. */
  number: number;
  /**
   * `roll-back`, `promote`: what follows. `worse`, `good`: shown, but the settings leave the rest to a person. `done`: what
   * decision `of` asks for is in force.
   */
  kind: 'roll-back' | 'promote' | 'worse' | 'good' | 'done';
  /** Wall clock, ms. */
  atMs: number;
  slot: string;
  role: 'canary' | 'shadow';
  candidate: ModelIdentity;
  /** Models that were active then. */
  active?: ModelIdentity[];
  /** Decisions taken and rows compared until then, and since when. */
  decisions?: number;
  rows?: number;
  sinceMs?: number;
  /** The rule that decided: criterion, its evidence (natural logarithm), and what was needed. */
  rule?: { criterion: string; evidence: number; needed: number };
  /** Blocks seen, those beyond what is tolerated, and evidence of being worse and of being good. */
  evidence?: Record<string, { blocks: number; bad: number; worse: number; good: number }>;
  of?: number;
}

/** One file is about a thousand decisions; a candidate makes two lines. */
const FILE_BYTES_MAX = 256 * 1024;
const FILES = 4;

/**
 * Decisions, one JSON line each, on the disk when `append` returns. The newest file is `decisions.ndjson`; up to three
 * older ones are kept as `decisions.1.ndjson` and so on. A line that a power cut left half written is cut off.
 */
export class DecisionLog {
  readonly #folder: string;
  readonly #entries: Decision[];
  #number: number;

  constructor(folder: string) {
    this.#folder = folder;
    cutTornLine(this.#file(0));
    this.#entries = [1, 0].flatMap((age) => readLines(this.#file(age)));
    this.#number = Math.max(0, ...this.#entries.map(({ number }) => number));
  }

  /** Oldest first; those of the two newest files. */
  get entries(): readonly Decision[] {
    return this.#entries;
  }

  /** @throws Error when the disk refuses; nothing was decided then */
  append(decision: Omit<Decision, 'v' | 'number'>): Decision {
    const file = this.#file(0);
    if (existsSync(file) && statSync(file).size > FILE_BYTES_MAX) this.#rotate();
    const entry: Decision = { v: 1, number: this.#number + 1, ...decision };
    const isNew = !existsSync(file);
    mkdirSync(this.#folder, { recursive: true });
    const written = openSync(file, 'a', 0o600);
    const { size } = fstatSync(written);
    try {
      writeSync(written, `${JSON.stringify(entry)}\n`);
      fsyncSync(written);
    } catch (error) {
      // The next line must not be glued to what a full disk took of this one.
      ftruncateSync(written, size);
      throw error;
    } finally {
      closeSync(written);
    }
    if (isNew) syncFolder(dirname(file));
    this.#number += 1;
    this.#entries.push(entry);
    return entry;
  }

  /** Decisions to act that are not known to be in force: a power cut came between. */
  pending(): Decision[] {
    const done = new Set(this.#entries.flatMap(({ of }) => of ?? []));
    return this.#entries.filter(
      ({ kind, number }) => (kind === 'roll-back' || kind === 'promote') && !done.has(number),
    );
  }

  #rotate(): void {
    for (let age = FILES - 2; age >= 0; age -= 1) {
      if (existsSync(this.#file(age))) renameSync(this.#file(age), this.#file(age + 1));
    }
    syncFolder(this.#folder);
    this.#entries.splice(0, this.#entries.length, ...readLines(this.#file(1)));
  }

  #file(age: number): string {
    return join(this.#folder, age === 0 ? 'decisions.ndjson' : `decisions.${age}.ndjson`);
  }
}

const LINE_FEED = 0x0a;

function syncFolder(folder: string): void {
  const opened = openSync(folder, 'r');
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}

/** What follows the last line feed was never acknowledged; the next line must not be glued to it. */
function cutTornLine(file: string): void {
  const bytes = bytesOf(file);
  const end = bytes.lastIndexOf(LINE_FEED) + 1;
  if (end < bytes.length) truncateSync(file, end);
}

/** Lines that can be read; a damaged one costs itself. */
function readLines(file: string): Decision[] {
  return bytesOf(file)
    .toString('utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        const entry = JSON.parse(line) as Decision;
        return entry.v === 1 && Number.isInteger(entry.number) ? [entry] : [];
      } catch {
        return [];
      }
    });
}

/** Empty when there is no such file, or it cannot be read: the module works without its past. */
function bytesOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    return Buffer.alloc(0);
  }
}
