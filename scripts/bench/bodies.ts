import { assetNames, PERIOD_MS, SIGNALS, simulate } from '@holdfast/pump-loop';

/** Rows of each pump that are simulated in advance; they are fed over and over, at times that go on. */
const SIMULATED = 3_600;

/** Pumps that are simulated; more assets measure what these do. */
const PUMPS = 8;

/** Texts kept for reuse, in characters: making JSON of the same numbers again would be most of the generator's work. */
const KEPT_MAX = 32_000_000;

export interface BodyOptions {
  assets: number;
  /** 8 are the signals of the pump loop; any other number is `s0`, `s1` and so on with the same values. */
  signals: number;
  /** Rows of one body: 1 is a single JSON object, more are columns. */
  rows: number;
  /** Time of the first row, ms since 1970. */
  startMs: number;
}

/**
 * Makes request bodies of what healthy pump loops measure (a load in which every row is an alarm would be another
 * load), asset after asset, each asset's rows in order. The numbers become text once: the generator runs on the cores
 * of what it measures.
 */
export class Bodies {
  /** Rows in each body. */
  readonly rows: number;
  readonly #options: BodyOptions;
  readonly #names: string[];
  readonly #signals: readonly string[];
  /** `[pump][signal][row]` */
  readonly #measured: (number | null)[][][];
  readonly #fed: number[];
  readonly #assetsEach: number;
  readonly #rowsEach: number;
  readonly #kept = new Map<string, string>();
  #keptChars = 0;
  #next = 0;

  constructor(options: BodyOptions) {
    this.#options = options;
    this.#names = assetNames(options.assets);
    this.#signals =
      options.signals === SIGNALS.length
        ? SIGNALS
        : Array.from({ length: options.signals }, (_, signal) => `s${signal}`);
    this.#measured = measure();
    this.#fed = this.#names.map(() => 0);
    this.#assetsEach = options.rows === 1 ? 1 : Math.min(options.assets, MAX_ASSETS_A_BODY);
    this.#rowsEach = Math.max(1, Math.ceil(options.rows / this.#assetsEach));
    this.rows = options.rows === 1 ? 1 : this.#rowsEach * this.#assetsEach;
  }

  next(): string {
    if (this.rows === 1) return this.#single(this.#take());
    const blocks: string[] = [];
    for (let block = 0; block < this.#assetsEach; block += 1)
      blocks.push(this.#columns(this.#take()));
    return `[${blocks.join(',')}]`;
  }

  #take(): number {
    const asset = this.#next;
    this.#next = (asset + 1) % this.#names.length;
    return asset;
  }

  #single(asset: number): string {
    const row = this.#fed[asset]!++;
    const t = this.#options.startMs + row * PERIOD_MS;
    const values = this.#text(`${asset % PUMPS}/${row % SIMULATED}`, () =>
      JSON.stringify(
        Object.fromEntries(
          this.#signals.map((name, signal) => [name, this.#value(asset, signal, row)]),
        ),
      ),
    );
    return `{"asset":"${this.#names[asset]}","t":${t},"values":${values}}`;
  }

  #columns(asset: number): string {
    const from = this.#fed[asset]!;
    const count = this.#rowsEach;
    this.#fed[asset] = from + count;
    let times = '';
    for (let row = from; row < from + count; row += 1) {
      times += `${row === from ? '' : ','}${this.#options.startMs + row * PERIOD_MS}`;
    }
    const values = this.#text(`${asset % PUMPS}/${from % SIMULATED}/${count}`, () =>
      JSON.stringify(
        this.#signals.map((_, signal) =>
          Array.from({ length: count }, (_, row) => this.#value(asset, signal, from + row)),
        ),
      ),
    );
    const head = `{"asset":"${this.#names[asset]}","signals":${JSON.stringify(this.#signals)}`;
    return `${head},"t":[${times}],"values":${values}}`;
  }

  #value(asset: number, signal: number, row: number): number | null {
    return this.#measured[asset % PUMPS]![signal % SIGNALS.length]![row % SIMULATED]!;
  }

  #text(key: string, make: () => string): string {
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const text = make();
    this.#keptChars += text.length;
    if (this.#keptChars < KEPT_MAX) this.#kept.set(key, text);
    return text;
  }
}

/** So that a body of 1,000 rows has columns and not only rows, however many assets there are. */
const MAX_ASSETS_A_BODY = 1_000;

function measure(): (number | null)[][][] {
  const names = assetNames(PUMPS);
  const measured = names.map(() => SIGNALS.map((): (number | null)[] => []));
  for (const { asset, values } of simulate({
    seed: 1,
    assets: PUMPS,
    startMs: Date.UTC(2026, 0, 1),
    seconds: SIMULATED,
  })) {
    const columns = measured[names.indexOf(asset)];
    for (const [signal, name] of SIGNALS.entries()) columns?.[signal]?.push(values[name]);
  }
  return measured;
}
