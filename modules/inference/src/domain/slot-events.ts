import type { ModelIdentity } from '@holdfast/contracts';
import type { ModelState } from './catalog.ts';
import type { Slots, Source, Wanted } from './slot.ts';

/** What happened. `job` is the number of a `start` effect; reports of a job that was cancelled change nothing. */
export type SlotEvent =
  | { kind: 'want'; wanted: Readonly<Record<string, Wanted>> }
  | {
      kind: 'step';
      slot: string;
      job: number;
      state: ModelState;
      identity?: ModelIdentity;
      percent?: number;
    }
  | { kind: 'done'; slot: string; job: number; identity: ModelIdentity }
  /** Will be tried again. */
  | { kind: 'failed'; slot: string; job: number; code: string; reason: string }
  /** Will not. */
  | { kind: 'refused'; slot: string; job: number; code: string; reason: string }
  /** The time to try again has come; or somebody asks for it, also for what would not be tried again by itself. */
  | { kind: 'retry'; slot: string; byHand?: boolean }
  /** A loaded model cannot run any more. */
  | { kind: 'lost'; slot: string; load: number; reason: string }
  | { kind: 'drained'; slot: string; load: number }
  | { kind: 'promote'; slot: string; digest: string }
  | { kind: 'roll-back'; slot: string; digest: string; code: string; reason: string }
  /** By hand: the model before this one. */
  | { kind: 'revert'; slot: string; reason: string }
  | { kind: 'unload'; slot: string; reason: string }
  /** Loads every model again beside itself, or one that was unloaded. */
  | { kind: 'renew'; slot?: string; fetch?: boolean };

/** What is to be done about it. */
export type Effect =
  /** Get, check and load the bundle; `digest` is the one that served before, if this is it. */
  | { kind: 'start'; slot: string; job: number; source: Source; digest: string | undefined }
  | { kind: 'cancel'; slot: string; job: number }
  /** Let the model finish what it was given, then close it. */
  | { kind: 'drain'; slot: string; load: number }
  /** Send `retry` after a while. */
  | { kind: 'later'; slot: string; tries: number }
  | { kind: 'swapped'; slot: string };

export interface Change {
  readonly slots: Slots;
  readonly effects: readonly Effect[];
}
