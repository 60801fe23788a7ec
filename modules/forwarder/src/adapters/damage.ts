import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { ForwarderError } from '../errors.ts';

/** What SQLite says of a file that is not as it was written. */
const DAMAGE_CODES = [
  'SQLITE_CORRUPT',
  'SQLITE_NOTADB',
  'SQLITE_IOERR_SHORT_READ',
  'SQLITE_FORMAT',
];

/** An error that stands for damage found in the database; salvaged at the next start. */
export function storeDamaged(what: string, cause?: unknown): ForwarderError {
  return new ForwarderError(
    'FWD_STORE_DAMAGED',
    `the database is damaged: ${what}`,
    'nothing: the module salvages what proves itself when it starts again; see "Damaged stores" in docs/operations.md',
    cause,
  );
}

/** Whether an error means that the database is damaged. */
export function isDamage(error: unknown): boolean {
  const code = String((error as { code?: unknown } | undefined)?.code);
  return code === 'FWD_STORE_DAMAGED' || DAMAGE_CODES.some((one) => code.startsWith(one));
}

const markOf = (file: string): string => `${file}-damaged`;

/**
 * Leaves a mark that the database is to be salvaged at the next start, so that damage which SQLite only meets in the
 * middle of a run does not end the process again and again.
 */
export function markDamaged(file: string, error: Error): void {
  writeFileSync(markOf(file), `${error.message}\n`);
}

export const isMarked = (file: string): boolean => existsSync(markOf(file));

export const unmark = (file: string): void => rmSync(markOf(file), { force: true });
