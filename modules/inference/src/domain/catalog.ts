import type { BundleManifest, ModelIdentity } from '@holdfast/contracts';
import type { ModelRunner } from './model-runner.ts';

/** What a slot of the twin's `models` is for. `serve`: on the HTTP API only, no rows of the route. */
export type ModelRole = 'active' | 'canary' | 'shadow' | 'serve';

/**
 * Every state that a model can be in, in the order of its life. `refused`, `failed`, `rolled-back` and `unloaded` have a
 * reason; after `refused` and `rolled-back` it is not tried again before its slot in the twin changes.
 */
export const MODEL_STATES = [
  'waiting',
  'fetching',
  'verifying',
  'loading',
  'checking',
  'ready',
  'draining',
  'failed',
  'refused',
  'rolled-back',
  'unloaded',
] as const;
export type ModelState = (typeof MODEL_STATES)[number];

/** One version of one model, as `status`, the reported properties and the HTTP API see it. */
export interface CatalogEntry {
  /** Name of the slot: the key in the twin's `models`, or `mounted` for the folder of HOLDFAST_MODEL_DIR. */
  readonly slot: string;
  readonly role: ModelRole;
  readonly state: ModelState;
  /** Wall clock, ms: since when it is in this state. */
  readonly sinceMs: number;
  /** As a sentence part. */
  readonly reason?: string;
  /** Known once its manifest was read. */
  readonly identity?: ModelIdentity;
  readonly manifest?: BundleManifest;
  /** There exactly while it is ready (or drains). */
  readonly runner?: ModelRunner;
}

/** What the HTTP API sees of the models. Names and versions are those of the bundles. */
export interface Catalog {
  entries(): readonly CatalogEntry[];
  /** Without a version: the active one of that name, else the one that is ready. */
  find(name: string, version?: string): CatalogEntry | undefined;
  /** Of the repository extension: makes a slot's model ready (again), or gives its memory back. @throws Error */
  load(name: string): Promise<void>;
  unload(name: string): Promise<void>;
}
