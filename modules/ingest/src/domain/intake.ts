import type { JournalReading } from '@holdfast/journal';
import type { Checker, SignalSet, ValueRange } from './checker.ts';
import { type Fault, faultOf, type RefusalCode } from './fault.ts';
import { readTime } from './read-time.ts';
import { timeWindow } from './time-window.ts';

/** A fault with its place among the rows of a request. */
export interface Refusal extends Fault {
  /** Row of a JSON document, from 0. */
  row?: number;
  /** Line of a text, from 1. */
  line?: number;
  /** How many rows this one fault cost, when more than one. */
  rows?: number;
}

/** Names the path of something in a row. Called for faults only, so good rows cost no text. */
export interface RowPlace {
  /** Row or line number. */
  at: number;
  pathOf(part: 'asset' | 't'): string;
  pathOfSignal(index: number, name: string): string;
}

/** Refusals that an answer lists in full; the rest is only counted. */
export const REFUSALS_SHOWN_MAX = 100;

/**
 * Collects the rows of one request: the good ones as readings for the journal, the bad ones as refusals.
 * Every row handed in ends up in exactly one of the two.
 */
export class Intake {
  readonly accepted: JournalReading[] = [];
  /** Row or line of each accepted reading. */
  readonly places: number[] = [];
  /** The first refusals. */
  readonly refusals: Refusal[] = [];
  readonly refusedByCode = new Map<RefusalCode, number>();
  refusedCount = 0;
  readonly checker: Checker;
  /** What places count: rows from 0 or lines from 1. */
  readonly unit: 'row' | 'line';
  readonly #utc: boolean;
  readonly #earliest: number;
  readonly #latest: number;

  /** `utc`: times without a zone are UTC. `unit`: what the numbers of places count. */
  constructor(checker: Checker, options: { nowMs: number; unit: 'row' | 'line'; utc?: boolean }) {
    this.checker = checker;
    this.unit = options.unit;
    this.#utc = options.utc ?? false;
    const { earliestMs, latestMs } = timeWindow(options.nowMs, checker.settings);
    this.#earliest = earliestMs;
    this.#latest = latestMs;
  }

  /** Rows seen so far. */
  get rows(): number {
    return this.accepted.length + this.refusedCount;
  }

  /** Checks one row and takes it or refuses it. `values` belongs to the intake from here on. */
  add(place: RowPlace, asset: unknown, t: unknown, set: SignalSet, values: unknown[]): void {
    const assetFault = this.checker.asset(asset, '');
    if (assetFault !== undefined) {
      this.refuse(place.at, { ...assetFault, path: place.pathOf('asset') });
      return;
    }
    const fault = this.#rowFault(place, asset as string, set, values);
    if (fault !== undefined) {
      this.refuse(place.at, fault);
      return;
    }
    const time = this.#time(t, place);
    if (typeof time !== 'number') {
      this.refuse(place.at, time);
      return;
    }
    this.accepted.push({
      asset: asset as string,
      signals: set.names,
      t: time,
      values: values as (number | null)[],
    });
    this.places.push(place.at);
  }

  /** Refuses `rows` rows, from number `at` on, for one fault. */
  refuse(at: number, fault: Fault, rows = 1): void {
    this.refusedCount += rows;
    this.refusedByCode.set(fault.code, (this.refusedByCode.get(fault.code) ?? 0) + rows);
    if (this.refusals.length >= REFUSALS_SHOWN_MAX) return;
    this.refusals.push({ [this.unit]: at, ...fault, ...(rows > 1 && { rows }) });
  }

  #rowFault(
    place: RowPlace,
    asset: string,
    set: SignalSet,
    values: readonly unknown[],
  ): Fault | undefined {
    if (set.fault !== undefined) return relocate(set.fault, place, set);
    const ranges = this.checker.ranges(asset, set);
    if (ranges !== undefined && 'code' in ranges) return relocate(ranges, place, set);
    for (let index = 0; index < values.length; index += 1) {
      const value = values[index];
      if (value === null) continue;
      if (typeof value === 'number' && Number.isFinite(value)) {
        if (ranges === undefined) continue;
        const range = ranges[index] as ValueRange;
        if (value >= range.min && value <= range.max) continue;
        return faultOf('value-range', pathOf(place, set, index), value, allowedIn(range));
      }
      return valueFault(pathOf(place, set, index), value);
    }
    return undefined;
  }

  #time(t: unknown, place: RowPlace): number | Fault {
    let time: number;
    if (typeof t === 'number' && Number.isSafeInteger(t)) time = t;
    else if (typeof t === 'string') {
      const read = readTime(t, this.#utc);
      if ('fault' in read) {
        const code = read.fault === 'zone' ? 'time-zone-missing' : 'time-type';
        return faultOf(code, place.pathOf('t'), t, read.fault === 'zone' ? ZONE : TIME);
      }
      time = read.t;
    } else if (t === undefined) {
      return { code: 'time-type', path: place.pathOf('t'), allowed: `is missing, ${TIME}` };
    } else return faultOf('time-type', place.pathOf('t'), t, TIME);
    if (time >= this.#earliest && time <= this.#latest) return time;
    const past = time < this.#earliest;
    return faultOf(
      past ? 'time-past' : 'time-future',
      place.pathOf('t'),
      t,
      past
        ? `must be at ${new Date(this.#earliest).toISOString()} (${this.#earliest}) or later`
        : `must be at ${new Date(this.#latest).toISOString()} (${this.#latest}) or earlier`,
    );
  }
}

const TIME = 'must be whole milliseconds since 1970 or ISO 8601 date and time with zone';
const ZONE = 'must end with a zone (Z or +hh:mm), or the request must say zone=UTC';

const pathOf = (place: RowPlace, set: SignalSet, index: number): string =>
  place.pathOfSignal(index, set.names[index] as string);

/** Puts a fault of a list of signals at the row where the list was used. */
function relocate(fault: Fault & { at?: number }, place: RowPlace, set: SignalSet): Fault {
  const { at, ...rest } = fault;
  return { ...rest, path: at === undefined ? place.pathOfSignal(-1, '') : pathOf(place, set, at) };
}

function valueFault(path: string, value: unknown): Fault {
  if (typeof value === 'number') {
    return faultOf('value-not-finite', path, value, 'must be a finite number or null');
  }
  return faultOf('value-type', path, value, 'must be a number or null');
}

function allowedIn(range: ValueRange): string {
  if (range.min === Number.NEGATIVE_INFINITY) return `must be at most ${range.max}`;
  if (range.max === Number.POSITIVE_INFINITY) return `must be at least ${range.min}`;
  return `must be between ${range.min} and ${range.max}`;
}
