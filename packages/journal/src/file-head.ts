import { closeSync, openSync, readSync } from 'node:fs';

/** The first bytes of a rollback journal that counts (SQLite file format, "The Rollback Journal"). */
const ROLLBACK_MAGIC = Buffer.from('d9d505f920a163d7', 'hex');

/** A journal has one before its first commit only; from then on it has a write-ahead log. */
export const hasRollback = (path: string): boolean =>
  headOf(`${path}-journal`).subarray(0, ROLLBACK_MAGIC.length).equals(ROLLBACK_MAGIC);

/** The first 100 bytes of a file, fewer if it has fewer; none when there is no file. */
export function headOf(path: string): Buffer {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return Buffer.alloc(0);
  }
  try {
    const head = Buffer.alloc(100);
    return head.subarray(0, readSync(file, head, 0, head.length, 0));
  } finally {
    closeSync(file);
  }
}
