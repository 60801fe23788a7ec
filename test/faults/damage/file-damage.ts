/** Damage to files as failing disks and careless people do it. */
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import type { Seeded } from '@holdfast/testkit';

/** A page of the database; a frame of the log is a page and a header, after 32 bytes. */
const PAGE = 4_096;
const FRAME = PAGE + 24;

export interface Damage {
  text: string;
  /** How many bits were flipped; infinite for anything larger. */
  bits: number;
}

/** Damages one file; undefined when there is nothing to damage. */
export function damageFile(path: string, random: Seeded): Damage | undefined {
  if (!existsSync(path)) return undefined;
  const { size } = statSync(path);
  if (size === 0) return undefined;
  const kind = random.int(1, 10);
  if (kind <= 4) return flip(path, random);
  if (kind <= 5) return flipNear(path, random) ?? flip(path, random);
  const text = kind <= 7 ? overwrite(path, random) : truncate(path, size, random);
  return { text, bits: Number.POSITIVE_INFINITY };
}

/** Words near which a single bit can lie about much: positions, keys, tables, heads of chunks. */
const WORDS = ['stream/', '00000000', 'key-', 'hfkey', 'CREATE TABLE', '[[["'];

/** One bit, close to one of these words. */
function flipNear(path: string, random: Seeded): Damage | undefined {
  const bytes = readFileSync(path);
  const word = random.pick(WORDS);
  const places: number[] = [];
  for (let at = bytes.indexOf(word); at >= 0; at = bytes.indexOf(word, at + 1)) places.push(at);
  if (places.length === 0) return undefined;
  const near = random.pick(places) + random.int(-24, 48);
  const at = Math.max(0, Math.min(bytes.length - 1, near));
  bytes[at] = bytes[at]! ^ (1 << random.int(0, 7));
  writeFileSync(path, bytes);
  return { text: `bit flipped at ${at}, near ${word}`, bits: 1 };
}

function flip(path: string, random: Seeded): Damage {
  const bytes = readFileSync(path);
  const bits = random.chance(0.5) ? random.int(1, 4) : random.int(1, 64);
  // Half of them close together, half of them near the start, where everything hangs on little.
  const reach = random.chance(0.3) ? Math.min(bytes.length, 8 * PAGE) : bytes.length;
  for (let bit = 0; bit < bits; bit += 1) {
    const at = random.int(0, reach - 1);
    bytes[at] = bytes[at]! ^ (1 << random.int(0, 7));
  }
  writeFileSync(path, bytes);
  return { text: `${bits} bits flipped within ${reach} bytes`, bits };
}

function overwrite(path: string, random: Seeded): string {
  const bytes = readFileSync(path);
  const pages = random.chance(0.5);
  const start = pages
    ? PAGE * random.int(0, Math.floor((bytes.length - 1) / PAGE))
    : random.int(0, bytes.length - 1);
  const length = pages ? PAGE * random.int(1, 8) : random.int(1, 5_000);
  const end = Math.min(bytes.length, start + length);
  const garbage = random.chance(0.5);
  for (let at = start; at < end; at += 1) bytes[at] = garbage ? random.int(0, 255) : 0;
  writeFileSync(path, bytes);
  return `${start}..${end} ${garbage ? 'overwritten with garbage' : 'zeroed'}`;
}

function truncate(path: string, size: number, random: Seeded): string {
  const edges = [
    0,
    random.int(0, size - 1),
    random.int(Math.floor(size * 0.9), size - 1),
    PAGE * random.int(0, Math.floor(size / PAGE)),
    Math.min(size - 1, 32 + FRAME * random.int(0, Math.floor(size / FRAME))),
  ];
  const length = random.chance(0.05) ? 0 : random.pick(edges.slice(1));
  truncateSync(path, length);
  return `truncated from ${size} to ${length}`;
}
