import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders = new Set<string>();

/**
 * Makes an empty folder with a short path (Unix sockets allow about 100 characters). It goes when the test file has
 * finished, or, outside jest, with the process.
 */
export function temporaryFolder(prefix = 'holdfast'): string {
  const folder = mkdtempSync(join(tmpdir(), `${prefix}-`));
  folders.add(folder);
  return folder;
}

/** Removes all temporary folders made so far. */
export function removeTemporaryFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  folders.clear();
}

const afterAll = (globalThis as { afterAll?: (hook: () => void) => void }).afterAll;
if (afterAll === undefined) process.once('exit', removeTemporaryFolders);
else afterAll(removeTemporaryFolders);
