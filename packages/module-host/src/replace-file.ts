import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Writes a small file whole or not at all: whatever happens meanwhile, power cuts included, the old content is found
 * or the new one, and the new one once this has returned. Only the owner may read it. The folder must be there;
 * `<file>.new` beside it is used on the way.
 */
export function replaceFile(file: string, text: string): void {
  const temporary = `${file}.new`;
  const written = openSync(temporary, 'w', 0o600);
  try {
    writeSync(written, text);
    // Before the rename: otherwise the new name may be found with nothing in it, and the old content is gone.
    fsyncSync(written);
  } finally {
    closeSync(written);
  }
  renameSync(temporary, file);
  const folder = openSync(dirname(file), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
