import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';

/** Damaged files that are kept for inspection: the newest. Each may be as large as the database was. */
const KEPT_MAX = 1;

const folderOf = (file: string): string => path.join(path.dirname(file), 'damaged');
const markOf = (file: string): string => `${file}-salvage`;

/** Folder with the damaged files of a salvage that has begun and not ended; undefined when there is none. */
export function unfinished(file: string): string | undefined {
  return existsSync(markOf(file)) ? readFileSync(markOf(file), 'utf8').trim() : undefined;
}

/**
 * Moves a database with its log into a folder of its own. A mark tells the next start to go on here when the power fails
 * before `finish`: the damaged files are then either still in place or already in that folder.
 */
export function setAside(file: string, wallMs: number): { file: string; finish(): void } {
  const name = path.basename(file);
  let folder = unfinished(file);
  if (folder === undefined) {
    folder = path.join(folderOf(file), new Date(wallMs).toISOString().replaceAll(':', '-'));
    writeSynced(markOf(file), folder);
    syncFolder(path.dirname(file));
  }
  mkdirSync(folder, { recursive: true });
  const target = path.join(folder, name);
  if (!existsSync(target)) {
    // The log first: a database without its log would look whole.
    for (const suffix of ['-wal', '']) {
      if (existsSync(`${file}${suffix}`)) renameSync(`${file}${suffix}`, `${target}${suffix}`);
    }
    syncFolder(folder);
    syncFolder(path.dirname(file));
  }
  rmSync(`${file}-shm`, { force: true });
  return {
    file: target,
    finish: () => {
      rmSync(markOf(file), { force: true });
      forgetOldest(file);
    },
  };
}

/** Keeps a copy of one file that is about to be repaired. */
export function keepCopy(file: string, copied: string, wallMs: number): void {
  const folder = path.join(folderOf(file), new Date(wallMs).toISOString().replaceAll(':', '-'));
  mkdirSync(folder, { recursive: true });
  copyFileSync(copied, path.join(folder, path.basename(copied)));
}

/** Where damaged files were put, newest last; empty when nothing ever was damaged. */
export function quarantined(file: string): string[] {
  const folder = folderOf(file);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((name) => path.join(folder, name));
}

function forgetOldest(file: string): void {
  for (const folder of quarantined(file).slice(0, -KEPT_MAX)) {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function writeSynced(file: string, body: string | Uint8Array): void {
  const descriptor = openSync(file, 'w', 0o600);
  try {
    if (typeof body === 'string') writeSync(descriptor, body);
    else for (let at = 0; at < body.length; ) at += writeSync(descriptor, body, at);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
