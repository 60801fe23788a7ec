import { closeSync, openSync, readSync, statSync } from 'node:fs';

/** One line of the log: an operation that has changed the disk, or something that has left the process. */
export type LogEntry =
  /** A file (or a folder) now has this descriptor; `created`: it was not there; `truncated`: it is empty now. */
  | { kind: 'open'; pid: number; fd: number; path: string; created: boolean; truncated: boolean }
  | { kind: 'close'; pid: number; fd: number }
  | { kind: 'write'; pid: number; fd: number; offset: number; data: Buffer }
  | { kind: 'truncate'; pid: number; fd: number; size: number }
  /** Of a file or a folder. */
  | { kind: 'sync'; pid: number; fd: number }
  | { kind: 'rename' | 'link' | 'exchange'; from: string; to: string }
  | { kind: 'unlink' | 'mkdir' | 'rmdir'; path: string }
  /** Written to standard output or a socket: what the outside may rely on from here. Recorded before it left. */
  | { kind: 'output'; pid: number; fd: number; data: Buffer }
  /** A file that is from here on written in a way that cannot be recorded. */
  | { kind: 'unseen'; path: string };

/** Order of `enum kind` in shim/shim.h. */
const KINDS = [
  undefined,
  'open',
  'close',
  'write',
  'truncate',
  'sync',
  'rename',
  'unlink',
  'mkdir',
  'rmdir',
  'link',
  'output',
  'unseen',
  'exchange',
] as const;

const HEADER_BYTES = 32;

/** Bytes of a log so far: everything that was recorded before now ends at or before here. */
export const logBytes = (file: string): number => statSync(file).size;

/** Reads a log, in order. Each entry comes with the length of the log up to and including it. */
export function readLog(file: string): { entry: LogEntry; end: number }[] {
  const size = logBytes(file);
  const all = Buffer.alloc(size);
  const opened = openSync(file, 'r');
  let filled = 0;
  while (filled < size) filled += readSync(opened, all, filled, size - filled, filled);
  closeSync(opened);
  const entries: { entry: LogEntry; end: number }[] = [];
  for (let at = 0; at < size; ) {
    const bytes = all.readUInt32LE(at);
    entries.push({ entry: decode(all.subarray(at, at + bytes)), end: at + bytes });
    at += bytes;
  }
  return entries;
}

function decode(record: Buffer): LogEntry {
  const kind = KINDS[record[4]!];
  const pid = record.readUInt32LE(8);
  const fd = record.readInt32LE(12);
  const value = Number(record.readBigUInt64LE(16));
  const dataAt = HEADER_BYTES + record.readUInt32LE(24);
  const path = record.toString('utf8', HEADER_BYTES, dataAt);
  const data = record.subarray(dataAt, dataAt + record.readUInt32LE(28));
  switch (kind) {
    case 'open':
      return { kind, pid, fd, path, created: (value & 1) !== 0, truncated: (value & 2) !== 0 };
    case 'close':
    case 'sync':
      return { kind, pid, fd };
    case 'write':
      return { kind, pid, fd, offset: value, data };
    case 'truncate':
      return { kind, pid, fd, size: value };
    case 'rename':
    case 'link':
    case 'exchange':
      return { kind, from: path, to: data.toString('utf8') };
    case 'unlink':
    case 'mkdir':
    case 'rmdir':
    case 'unseen':
      return { kind, path };
    case 'output':
      return { kind, pid, fd, data };
    default:
      throw new Error(`the log of the disk shim has a record of kind ${record[4]}`);
  }
}
