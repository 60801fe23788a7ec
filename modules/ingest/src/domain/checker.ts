import { NAME_LENGTH_MAX, Name, SIGNALS_MAX } from '@holdfast/contracts';
import { type Fault, faultOf } from './fault.ts';

/** The part of the settings that says which readings are good. */
export interface CheckSettings {
  futureMsMax: number;
  pastMsMax: number;
  assetMode: 'any' | 'listed';
  assets: readonly {
    asset: string;
    signals?:
      | readonly { name: string; min?: number | undefined; max?: number | undefined }[]
      | undefined;
  }[];
}

/** Lowest and highest value of one signal. */
export interface ValueRange {
  min: number;
  max: number;
}

/** A list of signal names that was checked; the same list of names is always the same object. */
export interface SignalSet {
  readonly names: readonly string[];
  /** `at` is the index of the bad name, absent when the list as a whole is bad. */
  readonly fault?: Fault & { at?: number };
}

// Memory bounds of the two caches. Beyond them the cache starts anew: slower, never wrong.
const NAMES_CACHED_MAX = 20_000;
const SETS_CACHED_MAX = 2_000;

const NAME_ALLOWED = `must be 1 to ${NAME_LENGTH_MAX} characters, letters, digits and _ . : ( ) % ° + - or single words with spaces between them, and not begin or end with a space or a dot`;

interface AssetRule {
  /** Undefined when every signal is welcome. */
  signals: Map<string, ValueRange> | undefined;
  /** Ranges in the order of a set, or what is wrong with it; by identity of the set. */
  sets: Map<SignalSet, readonly ValueRange[] | (Fault & { at: number })>;
}

/** Checks assets and lists of signals against the settings, remembering what it has seen. Pure but for its caches. */
export class Checker {
  readonly settings: CheckSettings;
  readonly #listed = new Map<string, AssetRule>();
  #names = new Set<string>();
  #sets = new Map<string, SignalSet>();

  constructor(settings: CheckSettings) {
    this.settings = settings;
    for (const { asset, signals } of settings.assets) {
      const ranges =
        signals &&
        new Map(
          signals.map(({ name, min, max }) => [
            name,
            { min: min ?? Number.NEGATIVE_INFINITY, max: max ?? Number.POSITIVE_INFINITY },
          ]),
        );
      this.#listed.set(asset, { signals: ranges, sets: new Map() });
    }
  }

  /** What is wrong with the name of an asset; undefined when it is welcome. */
  asset(asset: unknown, path: string): Fault | undefined {
    if (asset === undefined) {
      return { code: 'asset-missing', path, allowed: 'is missing, must be the name of an asset' };
    }
    if (typeof asset !== 'string') {
      return faultOf('asset-name', path, asset, 'must be a string');
    }
    if (!this.#isName(asset)) return faultOf('asset-name', path, asset, NAME_ALLOWED);
    if (this.settings.assetMode === 'listed' && !this.#listed.has(asset)) {
      return faultOf('asset-unknown', path, asset, `must be ${listOf(this.#listed.keys())}`);
    }
    return undefined;
  }

  /** The checked form of a list of signal names. Paths of its fault are relative to the list. */
  signals(names: readonly string[]): SignalSet {
    const key = names.join('\u0000');
    const known = this.#sets.get(key);
    // A name with the separator inside would make two lists look alike.
    if (known !== undefined && known.names.length === names.length) return known;
    const fault = this.#signalsFault(names);
    const set: SignalSet =
      fault === undefined ? { names: [...names] } : { names: [...names], fault };
    // A bad list is not kept: it may be large, and a stranger could fill the cache with them.
    if (fault !== undefined) return set;
    if (this.#sets.size >= SETS_CACHED_MAX) {
      this.#sets = new Map();
      for (const rule of this.#listed.values()) rule.sets.clear();
    }
    this.#sets.set(key, set);
    return set;
  }

  /** Ranges in the order of the set, the fault when the asset has no such signal, undefined without limits. */
  ranges(
    asset: string,
    set: SignalSet,
  ): readonly ValueRange[] | (Fault & { at: number }) | undefined {
    const rule = this.#listed.get(asset);
    if (rule?.signals === undefined) return undefined;
    const known = rule.sets.get(set);
    if (known !== undefined) return known;
    const found = rangesOf(rule.signals, set);
    rule.sets.set(set, found);
    return found;
  }

  #signalsFault(names: readonly string[]): (Fault & { at?: number }) | undefined {
    if (names.length === 0) {
      return { code: 'signals-none', path: '', allowed: 'must name at least one signal' };
    }
    if (names.length > SIGNALS_MAX) {
      const found = `${names.length} signals`;
      return {
        code: 'signals-too-many',
        path: '',
        value: found,
        allowed: `must have at most ${SIGNALS_MAX} signals`,
      };
    }
    const seen = new Set<string>();
    for (const [at, name] of names.entries()) {
      if (!this.#isName(name)) return { ...faultOf('signal-name', '', name, NAME_ALLOWED), at };
      if (seen.has(name)) {
        return { ...faultOf('signal-duplicate', '', name, 'must be named only once'), at };
      }
      seen.add(name);
    }
    return undefined;
  }

  #isName(text: string): boolean {
    if (this.#names.has(text)) return true;
    if (!Name.safeParse(text).success) return false;
    if (this.#names.size >= NAMES_CACHED_MAX) this.#names = new Set();
    this.#names.add(text);
    return true;
  }
}

function rangesOf(
  signals: Map<string, ValueRange>,
  set: SignalSet,
): readonly ValueRange[] | (Fault & { at: number }) {
  const ranges: ValueRange[] = [];
  for (const [at, name] of set.names.entries()) {
    const range = signals.get(name);
    if (range === undefined) {
      return { ...faultOf('signal-unknown', '', name, `must be ${listOf(signals.keys())}`), at };
    }
    ranges.push(range);
  }
  return ranges;
}

/** The first names of a list as a sentence part. */
function listOf(names: Iterable<string>): string {
  const all = [...names];
  if (all.length === 0) return 'one of the listed ones, and none is listed';
  const shown = all.slice(0, 10).map((name) => JSON.stringify(name));
  return all.length > 10
    ? `one of ${shown.join(', ')} and ${all.length - 10} more`
    : `one of ${shown.join(', ')}`;
}
