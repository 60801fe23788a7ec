/** Bytes of a page in every database of this module: SQLite's default, set when the file is made. */
export const PAGE_BYTES = 4096;

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;
/** Marks a log whose checksums are over little-endian words, as every machine we run on writes it. */
const MAGIC = 0x377f0682;
const FORMAT = 3_007_000;

type Checksum = readonly [number, number];

/** One page in the log. */
export interface Frame {
  page: number;
  /** Pages of the database after this commit; 0 when it does not end a transaction. */
  commit: number;
  /** Where the page begins in the log. */
  offset: number;
  /** Whether its checksum holds. */
  proven: boolean;
}

export interface LogScan {
  /** Frames of committed transactions, in order; those that are not proven may be damaged. */
  frames: readonly Frame[];
  /** Frames that SQLite would still read: all before the first that is not proven, up to a commit. */
  readable: number;
  /** Whether frames that were committed are out of SQLite's reach. A torn end after a power cut is not damage. */
  damaged: boolean;
}

/**
 * Reads a write-ahead log further than SQLite does. SQLite stops at the first frame whose checksum fails, as it must
 * after a power cut. But each checksum continues the one before, which stands in the log too, so frames behind a
 * damaged one still prove themselves. A transaction that is proven as a whole shows that all before it were
 * complete when it was written, so everything up to the last such transaction was committed.
 */
export function scanLog(log: Buffer): LogScan {
  const slots = Math.max(0, Math.floor((log.length - HEADER_BYTES) / FRAME_BYTES));
  const frames: Frame[] = [];
  let seeds: Checksum[] = [[at(log, 24), at(log, 28)]];
  const headerHolds = log.length >= HEADER_BYTES && headerIsWhole(log);
  // Frames of an earlier life of the log may follow; they carry other salts.
  const life = headerHolds ? 16 : HEADER_BYTES + 8;
  let committed = 0;
  let readable = headerHolds ? 0 : -1;
  let whole = true;
  for (let slot = 0; slot < slots; slot++) {
    const start = HEADER_BYTES + slot * FRAME_BYTES;
    const stored: Checksum = [log.readUInt32BE(start + 16), log.readUInt32BE(start + 20)];
    const computed = seeds.map((seed) => frameChecksum(log, start, seed));
    const proven =
      log.compare(log, life, life + 8, start + 8, start + 16) === 0 &&
      computed.some((sum) => equal(sum, stored)) &&
      (slot > 0 || headerHolds);
    const commit = log.readUInt32BE(start + 4);
    frames.push({
      page: log.readUInt32BE(start),
      commit,
      offset: start + FRAME_HEADER_BYTES,
      proven,
    });
    whole &&= proven;
    if (commit !== 0) {
      if (whole) committed = frames.length;
      whole = true;
    }
    seeds = proven ? [stored] : [stored, ...computed.slice(0, 1)];
  }
  const firstBroken = frames.findIndex(({ proven }) => !proven);
  const prefix = firstBroken === -1 ? frames : frames.slice(0, firstBroken);
  if (readable === 0) readable = prefix.findLastIndex(({ commit }) => commit !== 0) + 1;
  readable = Math.max(readable, 0);
  const damaged = readable < committed;
  return { frames: frames.slice(0, committed), readable, damaged };
}

/** The same committed frames as a log that SQLite reads to its end. */
export function repairedLog(log: Buffer, scan: LogScan): Buffer {
  const repaired = Buffer.alloc(HEADER_BYTES + scan.frames.length * FRAME_BYTES);
  [MAGIC, FORMAT, PAGE_BYTES, at(log, 12)].forEach((value, index) => {
    repaired.writeUInt32BE(value, index * 4);
  });
  // Salts only tell one life of the log from another; those of the last frame are as good as any.
  const last = scan.frames[scan.frames.length - 1]!.offset - FRAME_HEADER_BYTES;
  log.copy(repaired, 16, last + 8, last + 16);
  let sum = checksum(repaired, 0, 24, [0, 0]);
  writeChecksum(repaired, 24, sum);
  scan.frames.forEach(({ offset }, slot) => {
    const start = HEADER_BYTES + slot * FRAME_BYTES;
    const from = offset - FRAME_HEADER_BYTES;
    log.copy(repaired, start, from, from + FRAME_BYTES);
    log.copy(repaired, start + 8, last + 8, last + 16);
    sum = frameChecksum(repaired, start, sum);
    writeChecksum(repaired, start + 16, sum);
  });
  return repaired;
}

const at = (log: Buffer, offset: number): number =>
  log.length >= offset + 4 ? log.readUInt32BE(offset) : 0;

const equal = (a: Checksum, b: Checksum): boolean => a[0] === b[0] && a[1] === b[1];

function headerIsWhole(log: Buffer): boolean {
  if (log.readUInt32BE(0) !== MAGIC || log.readUInt32BE(8) !== PAGE_BYTES) return false;
  return equal(checksum(log, 0, 24, [0, 0]), [log.readUInt32BE(24), log.readUInt32BE(28)]);
}

function writeChecksum(log: Buffer, offset: number, [first, second]: Checksum): void {
  log.writeUInt32BE(first, offset);
  log.writeUInt32BE(second, offset + 4);
}

/** Page number and size of the commit, then the page; the salts and the checksum itself are left out. */
const frameChecksum = (log: Buffer, start: number, seed: Checksum): Checksum =>
  checksum(log, start + FRAME_HEADER_BYTES, PAGE_BYTES, checksum(log, start, 8, seed));

/** The checksum of SQLite's log format, over pairs of 32-bit words. */
function checksum(bytes: Buffer, offset: number, length: number, seed: Checksum): Checksum {
  let [first, second] = seed;
  for (let i = offset; i < offset + length; i += 8) {
    const low = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    const high =
      bytes[i + 4]! | (bytes[i + 5]! << 8) | (bytes[i + 6]! << 16) | (bytes[i + 7]! << 24);
    first = (first + low + second) | 0;
    second = (second + high + first) | 0;
  }
  return [first >>> 0, second >>> 0];
}
