import type { Seeded } from '@holdfast/testkit';

/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

/** A change of bytes since the last sync. */
interface Change {
  offset: number;
  bytes: number;
  /** None where a truncation took bytes away. */
  data: Buffer | undefined;
  /** How many sizes the file had had when it was made. */
  sizes: number;
}

/**
 * How much of what was not synced is found:
 * - `none`, `all`;
 * - `until`: what was changed up to some moment;
 * - `writes`: each write whole or not at all;
 * - `torn`: the same, and one write reached the disk in part;
 * - `sectors`: each sector by itself.
 */
export const DATA_MODES = ['none', 'all', 'until', 'writes', 'torn', 'sectors'] as const;
export type DataMode = (typeof DATA_MODES)[number];

/**
 * The bytes of one file: those that a sync has made durable, and the changes since. A sector that was changed several
 * times may be found in any of its states, but no state leaves an earlier change out: it was one page in memory. The
 * size is found in any of its states as well, whatever is found of the bytes; only a truncation is found as a whole:
 * where it is not, the bytes are there as before, and what was written in their place later is not.
 */
export class DiskFile {
  #bytes: Buffer;
  #size: number;
  #changes: Change[] = [];
  /** Sizes since the last sync, beginning with the durable one. */
  #sizes: number[];
  /** Written through a map as well: it may be found with any content. */
  unseen = false;

  /** @param content durable from the start */
  constructor(content: Buffer = Buffer.alloc(0)) {
    this.#bytes = content;
    this.#size = content.length;
    this.#sizes = [content.length];
  }

  get size(): number {
    return this.#sizes[this.#sizes.length - 1]!;
  }

  write(offset: number, data: Buffer): void {
    this.#resize(Math.max(this.size, offset + data.length));
    this.#changes.push({ offset, bytes: data.length, data, sizes: this.#sizes.length });
  }

  truncate(size: number): void {
    const gone = this.size - size;
    this.#resize(size);
    if (gone <= 0) return;
    const { length: sizes } = this.#sizes;
    this.#changes.push({ offset: size, bytes: gone, data: undefined, sizes });
  }

  /** Everything so far is durable. */
  sync(): void {
    this.#bytes = this.#applied(this.#changes);
    this.#size = this.size;
    this.#bytes.fill(0, this.#size);
    this.#changes = [];
    this.#sizes = [this.#size];
  }

  /** As it could be found after a power cut now. */
  found(mode: DataMode, random: Seeded): Buffer {
    if (this.unseen) return noise(this.size, random);
    if (this.#changes.length === 0 && this.#sizes.length === 1) {
      return this.#bytes.subarray(0, this.#size);
    }
    const own = Buffer.from(this.#bytes.subarray(0, this.#size));
    const sizes = this.#foundSizes(mode, random);
    const choose = withTruncations(choice(mode, this.#changes, random), this.#changes, sizes);
    const bytes = overlay(own, this.#changes, choose);
    const size = this.#sizes[sizes - 1]!;
    if (size <= bytes.length) return bytes.subarray(0, size);
    return Buffer.concat([bytes, Buffer.alloc(size - bytes.length)]);
  }

  #resize(size: number): void {
    if (size !== this.size) this.#sizes.push(size);
  }

  /** How many of its sizes are found; the last of them counts. */
  #foundSizes(mode: DataMode, random: Seeded): number {
    if (mode === 'none') return 1;
    if (mode === 'all') return this.#sizes.length;
    return random.int(1, this.#sizes.length);
  }

  /** In place as far as there is room: a write-ahead log is synced after each few pages. */
  #applied(changes: readonly Change[]): Buffer {
    let { length } = this.#bytes;
    for (const { offset, bytes } of changes) length = Math.max(length, offset + bytes);
    length = Math.max(length, this.size);
    let target = this.#bytes;
    if (length > target.length) {
      target = Buffer.alloc(Math.max(length, 2 * target.length));
      this.#bytes.copy(target, 0, 0, this.#size);
    }
    for (const { offset, bytes, data } of changes) {
      if (data === undefined) target.fill(0, offset, offset + bytes);
      else data.copy(target, offset);
    }
    return target;
  }
}

/** Which changes of a sector are found: those up to the one with this index. -1: none. */
type Choice = (sector: number, touching: readonly number[]) => number;

function choice(mode: DataMode, changes: readonly Change[], random: Seeded): Choice {
  const last = changes.length - 1;
  if (mode === 'none') return () => -1;
  if (mode === 'all') return () => last;
  if (mode === 'until') {
    const moment = random.int(-1, last);
    return () => moment;
  }
  if (mode === 'sectors') return (_, touching) => random.pick([-1, ...touching]);
  const kept = changes.map(() => random.chance(0.5));
  const newestKept = (touching: readonly number[]): number =>
    touching.findLast((index) => kept[index]) ?? -1;
  if (mode === 'writes' || changes.length === 0) return (_, touching) => newestKept(touching);
  const torn = random.int(0, last);
  const { offset, bytes } = changes[torn]!;
  const at = Math.floor(offset / SECTOR_BYTES) + random.int(1, Math.ceil(bytes / SECTOR_BYTES));
  const headFound = random.chance(0.5);
  return (sector, touching) => {
    kept[torn] = sector < at === headFound;
    return newestKept(touching);
  };
}

/** Bounds a choice so that each truncation is found in all of its sectors, or in none. */
function withTruncations(choose: Choice, changes: readonly Change[], sizes: number): Choice {
  return (sector, touching) => {
    let newest = choose(sector, touching);
    for (const index of touching) {
      if (changes[index]!.data !== undefined) continue;
      if (changes[index]!.sizes <= sizes) newest = Math.max(newest, index);
      else return Math.min(newest, index - 1);
    }
    return newest;
  };
}

/** The changes on top of the bytes, sector by sector as chosen. */
function overlay(bytes: Buffer, changes: readonly Change[], choose: Choice): Buffer {
  const touching = new Map<number, number[]>();
  let length = bytes.length;
  changes.forEach(({ offset, bytes: count }, index) => {
    length = Math.max(length, offset + count);
    const end = Math.ceil((offset + count) / SECTOR_BYTES);
    for (let sector = Math.floor(offset / SECTOR_BYTES); sector < end; sector += 1) {
      const known = touching.get(sector);
      if (known === undefined) touching.set(sector, [index]);
      else known.push(index);
    }
  });
  const found = Buffer.concat([bytes], length);
  for (const [sector, indexes] of touching) {
    const newest = choose(sector, indexes);
    for (const index of indexes) {
      if (index > newest) break;
      const { offset, bytes: count, data } = changes[index]!;
      const from = Math.max(offset, sector * SECTOR_BYTES);
      const to = Math.min(offset + count, (sector + 1) * SECTOR_BYTES);
      if (data === undefined) found.fill(0, from, to);
      else data.copy(found, from, from - offset, to - offset);
    }
  }
  return found;
}

function noise(bytes: number, random: Seeded): Buffer {
  const found = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += 1) found[at] = random.int(0, 255);
  return found;
}
