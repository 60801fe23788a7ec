import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { check, describeProblems, type Problem } from '@holdfast/contracts';
import type { z } from 'zod';
import type { Log } from './port.ts';
import { replaceFile } from './replace-file.ts';

/** What became of the newest desired document. */
export interface SettingsVerdict {
  /** Of the desired properties judged. */
  version: number;
  verdict: 'accepted' | 'refused';
  problems: Problem[];
  /** Version of the settings that are in force now. */
  inForce: number;
}

interface Remembered {
  version: number;
  /** As desired, without defaults, so that a new release brings its own. */
  desired: Record<string, unknown>;
}

/**
 * The settings in force: defaults, then whatever the last acceptable desired document said, kept on disk so that a
 * start without a hub has them. A document that is not acceptable changes nothing.
 */
export class SettingsKeeper<Settings extends z.ZodObject> {
  readonly #schema: z.ZodObject;
  readonly #file: string;
  readonly #log: Log;
  #current: z.output<Settings>;
  #inForce = 0;
  #lastJudged: { text: string; verdict: SettingsVerdict } | undefined;

  constructor(options: { schema: Settings; file: string; log: Log }) {
    this.#schema = options.schema.strict();
    this.#file = options.file;
    this.#log = options.log;
    this.#current = this.#defaults();
    const remembered = this.#read();
    if (remembered === undefined) return;
    const checked = check(this.#schema, remembered.desired);
    if (checked.ok) {
      this.#current = checked.value as z.output<Settings>;
      this.#inForce = remembered.version;
    } else {
      this.#log.warn('Settings kept from before do not suit this version, starting with defaults', {
        problems: describeProblems(checked.problems),
      });
    }
  }

  get current(): z.output<Settings> {
    return this.#current;
  }
  get version(): number {
    return this.#inForce;
  }
  get verdict(): SettingsVerdict | undefined {
    return this.#lastJudged?.verdict;
  }

  /**
   * Judges a desired document and, if it is acceptable, hands it to `apply` and keeps it. An `apply` that throws
   * refuses it. The same document again is not judged again.
   */
  offer(
    document: Record<string, unknown>,
    version: number,
    apply: (settings: z.output<Settings>) => void,
  ): SettingsVerdict {
    const desired = withoutMetadata(document);
    const text = JSON.stringify([version, desired]);
    if (this.#lastJudged?.text === text) return this.#lastJudged.verdict;
    const problems = this.#judge(desired, version, apply);
    const verdict: SettingsVerdict = {
      version,
      verdict: problems.length === 0 ? 'accepted' : 'refused',
      problems: problems.slice(0, PROBLEMS_MAX).map(shorten),
      inForce: this.#inForce,
    };
    this.#lastJudged = { text, verdict };
    return verdict;
  }

  #judge(
    desired: Record<string, unknown>,
    version: number,
    apply: (settings: z.output<Settings>) => void,
  ): Problem[] {
    const checked = check(this.#schema, desired);
    if (!checked.ok) return checked.problems;
    const settings = checked.value as z.output<Settings>;
    try {
      apply(settings);
    } catch (error) {
      return [{ path: '', allowed: (error as Error).message }];
    }
    this.#current = settings;
    this.#inForce = version;
    this.#keep({ version, desired });
    return [];
  }

  #defaults(): z.output<Settings> {
    const checked = check(this.#schema, {});
    if (checked.ok) return checked.value as z.output<Settings>;
    throw new TypeError(`every setting needs a default: ${describeProblems(checked.problems)}`);
  }

  #read(): Remembered | undefined {
    const kept = readKept(this.#file);
    if (kept === 'none') return undefined;
    if (kept !== 'damaged') return kept;
    const copy = readKept(copyOf(this.#file));
    const whole = typeof copy === 'string' ? undefined : copy;
    const going = whole === undefined ? 'starting with defaults' : 'starting with their copy';
    this.#log.warn(`Settings kept from before cannot be read, ${going}`, { file: this.#file });
    try {
      renameSync(this.#file, `${this.#file}.damaged`);
    } catch {
      // It is overwritten with the next settings.
    }
    return whole;
  }

  /** Whole or not at all, and on the disk when it returns. A disk that fails must not stop the module: settings come again. */
  #keep(remembered: Remembered): void {
    try {
      mkdirSync(dirname(this.#file), { recursive: true });
      const text = JSON.stringify({ ...remembered, sum: sumOf(remembered) });
      for (const file of [this.#file, copyOf(this.#file)]) replaceFile(file, text);
    } catch (error) {
      this.#log.error('Settings are in force but could not be kept on disk', {
        file: this.#file,
        message: (error as Error).message,
      });
    }
  }
}

/** Two files, so that one that is damaged does not cost a site without a hub its settings. */
const copyOf = (file: string): string => `${file}.copy`;

/** A bit that flips in a number would change a setting without a word, so there is a checksum. */
const sumOf = ({ version, desired }: Remembered): number =>
  crc32(JSON.stringify([version, desired]));

function readKept(file: string): Remembered | 'none' | 'damaged' {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return 'none';
  }
  try {
    const { version, desired, sum, ...rest } = JSON.parse(text) as Remembered & { sum?: number };
    if (!Number.isInteger(version) || typeof desired !== 'object' || desired === null) {
      return 'damaged';
    }
    const kept = { version, desired };
    // Without a sum: written by a version that knew none, or by hand.
    const whole = sum === undefined || sum === sumOf(kept);
    return whole && Object.keys(rest).length === 0 ? kept : 'damaged';
  } catch {
    return 'damaged';
  }
}

/** Problems in one verdict: reported properties have 32 KiB in all. */
const PROBLEMS_MAX = 20;

const shorten = (problem: Problem): Problem => ({
  path: problem.path.slice(0, 200),
  ...(problem.value === undefined ? {} : { value: problem.value }),
  allowed: problem.allowed.slice(0, 300),
});

const withoutMetadata = (document: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(document).filter(([name]) => !name.startsWith('$')));
