import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { check, describeProblems, ModelIdentity } from '@holdfast/contracts';
import { type Log, replaceFile } from '@holdfast/module-host';
import { z } from 'zod';
import type { Remembered } from '../domain/remembered.ts';

const Role = z.enum(['active', 'canary', 'shadow', 'serve']);
const Source = z.object({
  ref: z.string(),
  digest: z.string().optional(),
  inPlace: z.boolean(),
});
const Good = z.object({ source: Source, identity: ModelIdentity, adoptedMs: z.number() });
const Slot = z.object({
  role: Role,
  wantedRole: Role,
  share: z.number(),
  promoted: z.boolean(),
  good: Good.optional(),
  previous: Good.optional(),
  keptOut: z
    .object({
      source: Source,
      sinceMs: z.number(),
      code: z.string(),
      reason: z.string(),
      identity: ModelIdentity.optional(),
    })
    .optional(),
});
/** Not strict: what a later release adds is passed over. */
const Document = z.object({
  v: z.literal(1),
  slots: z.record(z.string(), Slot).default({}),
  /** By digest: loads that were begun and not ended, because the process ended meanwhile. */
  loads: z.record(z.string(), z.number()).default({}),
  /** Slots that were reported once and are no more: reported as null, newest last. */
  gone: z.array(z.string()).default([]),
});
type Document = z.output<typeof Document>;

/** Slots that are taken back in the reported properties; older ones were taken back often enough. */
const GONE_MAX = 16;

/**
 * `models.json`: what a restart must know of the models, whatever ended the process and without a network. Two copies,
 * each written whole or not at all.
 */
export class ModelMemory {
  readonly #file: string;
  readonly #log: Log;
  #document: Document;
  #text = '';

  constructor(file: string, log: Log) {
    this.#file = file;
    this.#log = log;
    this.#document = this.#read();
  }

  get slots(): Remembered {
    return this.#document.slots;
  }
  get gone(): readonly string[] {
    return this.#document.gone;
  }

  /** On the disk when it returns true; a disk that fails must not stop a model that works. */
  keep(slots: Remembered): boolean {
    const names = Object.keys(slots);
    const left = Object.keys(this.#document.slots).filter((name) => !names.includes(name));
    const gone = [...new Set([...this.#document.gone, ...left])].filter(
      (name) => !names.includes(name),
    );
    return this.#write({ ...this.#document, slots, gone: gone.slice(-GONE_MAX) });
  }

  /** Loads of this bundle during which the process ended. */
  unfinishedLoads(digest: string): number {
    return this.#document.loads[digest] ?? 0;
  }
  loadBegins(digest: string): void {
    const loads = { ...this.#document.loads, [digest]: this.unfinishedLoads(digest) + 1 };
    this.#write({ ...this.#document, loads });
  }
  /** The load ended, well or not, and the process is still there. */
  loadEnds(digest: string): void {
    const { [digest]: _, ...loads } = this.#document.loads;
    this.#write({ ...this.#document, loads });
  }

  #write(document: Document): boolean {
    const text = JSON.stringify(document);
    this.#document = document;
    if (text === this.#text) return true;
    try {
      mkdirSync(dirname(this.#file), { recursive: true });
      for (const file of [this.#file, copyOf(this.#file)]) replaceFile(file, text);
      this.#text = text;
      return true;
    } catch (error) {
      this.#text = '';
      this.#log.error('Which models are in use could not be kept on disk', {
        file: this.#file,
        message: (error as Error).message,
      });
      return false;
    }
  }

  #read(): Document {
    for (const file of [this.#file, copyOf(this.#file)]) {
      const document = this.#readFile(file);
      if (document !== undefined) return document;
    }
    return Document.parse({ v: 1 });
  }

  #readFile(file: string): Document | undefined {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch {
      return undefined;
    }
    let why: string;
    try {
      const checked = check(Document, JSON.parse(text));
      if (checked.ok) return checked.value;
      why = describeProblems(checked.problems);
    } catch (error) {
      why = (error as Error).message;
    }
    this.#log.warn('Which models were in use cannot be read', { file, why });
    try {
      renameSync(file, `${file}.damaged`);
    } catch {
      // It is overwritten with the next change.
    }
    return undefined;
  }
}

/** Two files, so that one that is damaged does not cost a site without a network its models. */
const copyOf = (file: string): string => `${file}.copy`;
