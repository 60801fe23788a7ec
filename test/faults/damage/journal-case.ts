/** One damaged journal, from the damage to the last reading. Gives what is wrong, as sentences. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Journal } from '@holdfast/journal';
import type { Seeded } from '@holdfast/testkit';
import { damageFile } from './file-damage.ts';
import { drain, ModelForwarder } from './journal-drain.ts';
import {
  FILES,
  type FileOf,
  type JournalImage,
  openJournal,
  someReadings,
} from './journal-image.ts';

/** The issue says seconds; a busy machine may take several. */
const OPEN_MS_MAX = 10_000;

export interface CaseResult {
  damage: string;
  problems: string[];
  salvaged: boolean;
  lost: number;
  saved: number;
}

const TARGETS: readonly (readonly FileOf[])[] = [
  ...Array<readonly FileOf[]>(8).fill(['db']),
  ...Array<readonly FileOf[]>(8).fill(['wal']),
  ['db', 'wal'],
  ['mark'],
  ['db', 'mark'],
  ['wal', 'mark'],
];

/** Copies an image, damages it and drives it to its end. */
export async function runCase(
  image: JournalImage,
  random: Seeded,
  folder: string,
): Promise<CaseResult> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const file of Object.values(FILES)) {
    if (existsSync(join(image.folder, file))) {
      copyFileSync(join(image.folder, file), join(folder, file));
    }
  }
  const hit: FileOf[] = [];
  const done: string[] = [];
  let bits = 0;
  for (const file of random.pick(TARGETS)) {
    const damage = damageFile(join(folder, FILES[file]), random);
    if (damage === undefined) continue;
    hit.push(file);
    bits += damage.bits;
    done.push(`${file}: ${damage.text}`);
  }
  const result: CaseResult = {
    ...{ damage: done.join('; '), problems: [], salvaged: false, lost: 0, saved: 0 },
  };
  const check = new CaseCheck(image, { hit, bits }, result);
  try {
    await check.run(folder, random);
  } catch (error) {
    result.problems.push(`it failed: ${(error as Error).stack ?? String(error)}`);
  }
  return result;
}

class CaseCheck {
  readonly #image: JournalImage;
  readonly #hit: readonly FileOf[];
  readonly #bits: number;
  readonly #result: CaseResult;

  constructor(
    image: JournalImage,
    damage: { hit: readonly FileOf[]; bits: number },
    result: CaseResult,
  ) {
    this.#image = image;
    this.#hit = damage.hit;
    this.#bits = damage.bits;
    this.#result = result;
  }

  async run(folder: string, random: Seeded): Promise<void> {
    const { streams } = this.#image;
    const forwarder = new ModelForwarder(this.#image);
    const expected = streams.map(({ values }) => [...values]);
    let journal = this.#open(folder);
    for (let start = 0; ; start += 1) {
      this.#checkKeys(journal);
      const before = journal.accepted();
      // Twice: some of it goes on before the next fault could be.
      for (let round = 0; round < 2; round += 1) {
        const rows = someReadings(random, 20 * streams.length);
        journal.append(rows);
        for (const { asset, values } of rows) {
          expected[journal.partitionOf(asset)]!.push(values[0] as number);
        }
      }
      const problem = await drain(journal, forwarder, random).then(
        () => undefined,
        (error: Error) => error,
      );
      if (problem === undefined) {
        this.#must(journal.accepted() >= before, 'accepted readings became fewer');
        break;
      }
      // A process may end when it comes upon damage; the next start must then know what to do.
      const { code } = problem as { code?: string };
      if (code !== 'JOURNAL_DAMAGED' || start > 0) throw problem;
      journal.close();
      journal = this.#open(folder);
    }
    this.#checkBooks(journal, forwarder, expected);
    journal.close();
    this.#checkAgain(folder);
  }

  #open(folder: string): Journal {
    const startMs = performance.now();
    const journal = openJournal(folder, this.#image.streams.length);
    const tookMs = performance.now() - startMs;
    this.#must(tookMs < OPEN_MS_MAX, `opening took ${Math.round(tookMs)} ms`);
    const { salvage } = journal;
    if (salvage === undefined) return journal;
    this.#result.salvaged = true;
    this.#result.saved += salvage.saved;
    const kept = existsSync(join(folder, 'damaged')) ? readdirSync(join(folder, 'damaged')) : [];
    this.#must(kept.length > 0 || !this.#anyFile(), 'nothing was put into quarantine');
    return journal;
  }

  #anyFile = (): boolean => this.#hit.some((file) => file !== 'mark');

  #checkKeys(journal: Journal): void {
    for (const [id, result] of this.#image.keys) {
      const found = journal.findKey(id);
      if (found === undefined) continue;
      this.#must(found.result === result, `key ${id} answers ${found.result}`);
    }
  }

  #checkBooks(journal: Journal, forwarder: ModelForwarder, expected: readonly number[][]): void {
    const lost = journal.streams.reduce((sum, stream) => sum + stream.lost, 0);
    this.#result.lost = lost;
    const gaps = forwarder.gaps.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    this.#must(lost === gaps, `ingest has lost ${lost}, the forwarder has gaps of ${gaps}`);
    const most = this.#bits * this.#image.largest;
    this.#must(lost <= most, `${this.#bits} bits have cost ${lost} readings, more than ${most}`);
    for (const gap of forwarder.gaps) {
      this.#must(gap.reason !== undefined, `a gap has no reason: ${JSON.stringify(gap)}`);
    }
    expected.forEach((values, partition) => {
      this.#checkStream(journal, forwarder, { values, partition });
    });
  }

  #checkStream(
    journal: Journal,
    forwarder: ModelForwarder,
    { values, partition }: { values: readonly number[]; partition: number },
  ): void {
    const { epoch, applied } = this.#image.streams[partition]!;
    const name = `ingest-${partition}`;
    const before = new Set(values.slice(0, applied));
    const written = new Set(values);
    const seen = new Set<number>();
    const rows = forwarder.applied.filter((row) => row.stream === name);
    for (const { value, seq, epoch: under } of rows) {
      this.#must(
        written.has(value),
        `${name} ${under} ${seq} has the value ${value}, never written`,
      );
      const twice = seen.has(value) || before.has(value);
      this.#must(!twice || this.#identityGone(), `${value} of ${name} was applied twice`);
      if (under === epoch && !this.#tailUnknown()) {
        this.#must(values[seq - 1] === value, `${name} ${seq} is ${value}, not ${values[seq - 1]}`);
      }
      seen.add(value);
    }
    const gone = values.slice(applied).filter((value) => !seen.has(value)).length;
    const gaps = forwarder.gaps.filter((gap) => gap.stream === name);
    const lost = gaps.reduce((sum, { first, last }) => sum + last - first + 1, 0);
    if (this.#tailUnknown()) {
      this.#must(lost <= gone, `${name}: ${lost} are gaps and ${gone} did not come`);
      return;
    }
    this.#must(lost === gone, `${name}: ${lost} are gaps and ${gone} did not come`);
    this.#must(
      journal.streams[partition]!.lost === lost,
      `${name}: ingest has lost ${journal.streams[partition]!.lost}, of ${lost}`,
    );
    for (const { first, last, epoch: under } of gaps) {
      if (under !== epoch) continue;
      for (let seq = first; seq <= last; seq += 1) {
        this.#must(!seen.has(values[seq - 1]!), `${name} ${seq} is in a gap and was applied`);
      }
    }
  }

  /** Mark and log are the only witnesses of the last commits: with both damaged nobody can know how many there were. */
  #tailUnknown = (): boolean => this.#hit.includes('mark') && this.#hit.length > 1;

  /** All copies of the streams' names may be gone; then what is there goes out again under new ones. */
  #identityGone = (): boolean => this.#tailUnknown();

  #checkAgain(folder: string): void {
    const again = openJournal(folder, this.#image.streams.length);
    this.#must(again.salvage === undefined, `a second open found: ${again.salvage?.reason}`);
    this.#must(again.backlog().readings === 0, 'a second open has readings in flight');
    again.close();
    const rest = readdirSync(folder).filter((name) => /salvag|torn|lock|damaged$/.test(name));
    this.#must(
      rest.every((name) => name === 'damaged'),
      `files are left behind: ${rest.join(', ')}`,
    );
  }

  #must(condition: boolean, problem: string): void {
    if (!condition && this.#result.problems.length < 5) this.#result.problems.push(problem);
  }
}
