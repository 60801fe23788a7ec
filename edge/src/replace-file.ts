import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';

/**
 * Writes a small file whole or not at all, and durably: after a power cut the old content is found or the new one.
 * `mode` is of the file, for example 0o600: only the owner reads it. `<file>.new` beside it is used on the way.
 */
export function replaceFile(file: string, text: string, mode: number): void {
  const written = openSync(`${file}.new`, 'w', mode);
  try {
    writeSync(written, text);
    // Before the rename: otherwise the new name may be found with nothing in it, and the old content is gone.
    fsyncSync(written);
  } finally {
    closeSync(written);
  }
  renameSync(`${file}.new`, file);
  const folder = openSync(path.dirname(file), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
