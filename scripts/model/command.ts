import type { ParseArgsOptionsConfig } from 'node:util';

/** Where a command writes, and what it may know of the world; tests give their own. */
export interface Terminal {
  /** A line of the result, on standard output. */
  out(line: string): void;
  /** A line about the run: errors, notes, progress. */
  error(line: string): void;
  /** Replaces the last line of progress; undefined where nobody watches. */
  redraw: ((text: string) => void) | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** How a command ended; also the exit code of the process. */
export const EXIT = {
  done: 0,
  /** The bundle, key or signature is not acceptable. The message has code, place, value and what is allowed. */
  refused: 1,
  /** The command line is wrong. */
  usage: 2,
  /** A file, a disk or a network failed; the same command may work later. */
  failed: 3,
} as const;

export interface Run {
  readonly terminal: Terminal;
  readonly positionals: readonly string[];
  /** Value of `--name`, undefined when it was not given. */
  text(name: string): string | undefined;
  /** Values of an option that may come several times. */
  list(name: string): readonly string[];
  flag(name: string): boolean;
  /** Shows how far long work is: at most ten times a second on a terminal, every ten seconds in a log. */
  progress(what: string, done: number, total?: number): void;
}

/** One command of `npm run model`, in a file of its own. */
export interface Command {
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What follows the name: `<folder> --key <file>`. */
  readonly usage: string;
  /** Paragraphs and options, for `model <name> --help`. */
  readonly help: string;
  /** How many words that are no options. */
  readonly positionals: { readonly min: number; readonly max: number };
  /** `--help` and `--json` are added to these. */
  readonly options: ParseArgsOptionsConfig;
  /**
   * Does the work. Prints nothing of its result when `--json` is given: what it returns is then printed as JSON, and
   * `show` prints it otherwise.
   * @throws BundleError, KeyError, UsageError, or anything else, which is told as a failure of the surroundings
   */
  run(run: Run): Promise<unknown>;
  /** Prints the result for a person. */
  show(result: never, terminal: Terminal): void;
}

/** The command line cannot be understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
