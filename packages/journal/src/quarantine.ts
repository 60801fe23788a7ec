import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Folder beside the damaged file. */
const FOLDER = 'damaged';
/** Finds kept; older ones go. Enough to see whether a disk is failing. */
const FINDS_MAX = 3;
/** Bytes kept in all: a fraction of what the journal itself may take. */
const BYTES_MAX = 256 * 1024 * 1024;

/** What became of damaged files. */
export interface Quarantined {
  folder: string;
  /** Names in the folder. */
  kept: string[];
  /** Files that were too large to be kept, and finds that were too old. */
  dropped: string[];
}

/**
 * Puts damaged files aside, for whoever wants to look; nobody needs to. The folder is bounded in finds and in bytes.
 * Names begin with the time, so that they sort by age.
 */
export function quarantine(paths: readonly string[], wallMs: number): Quarantined {
  const present = paths.filter((path) => existsSync(path));
  const folder = join(dirname(paths[0]!), FOLDER);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const kept: string[] = [];
  const prefix = freePrefix(folder, wallMs);
  for (const path of present) {
    const name = `${prefix}-${basename(path)}`;
    renameSync(path, join(folder, name));
    kept.push(name);
  }
  const dropped = bound(folder);
  return { folder, kept: kept.filter((name) => !dropped.includes(name)), dropped };
}

/** Puts bytes aside under the name of `path`. A full disk must not stop anybody for it. */
export function keepAside(path: string, bytes: readonly Buffer[], wallMs: number): void {
  try {
    writeFileSync(path, Buffer.concat(bytes), { mode: 0o600 });
    quarantine([path], wallMs);
  } catch {
    rmSync(path, { force: true });
  }
}

function freePrefix(folder: string, wallMs: number): string {
  const names = readdirSync(folder);
  for (let count = 0; ; count += 1) {
    const time = new Date(Math.max(0, wallMs)).toISOString().replace(/[-:.]/g, '');
    const prefix = `${time}-${count}`;
    if (!names.some((name) => name.startsWith(prefix))) return prefix;
  }
}

/** Newest finds first, smallest files of a find first. */
function bound(folder: string): string[] {
  const finds = new Map<string, { name: string; bytes: number }[]>();
  for (const name of readdirSync(folder).sort().reverse()) {
    const find = name.split('-').slice(0, 2).join('-');
    const { size } = statSync(join(folder, name));
    finds.set(find, [...(finds.get(find) ?? []), { name, bytes: size }]);
  }
  const dropped: string[] = [];
  let count = 0;
  let total = 0;
  for (const files of finds.values()) {
    count += 1;
    for (const { name, bytes } of files.sort((a, b) => a.bytes - b.bytes)) {
      if (count <= FINDS_MAX && total + bytes <= BYTES_MAX) {
        total += bytes;
        continue;
      }
      rmSync(join(folder, name), { force: true });
      dropped.push(name);
    }
  }
  return dropped;
}
