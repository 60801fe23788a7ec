import { type ChunkPlace, checksum, GAP_VERSION, HEADER_BYTES } from './chunk.ts';

/** Why rows are missing. */
export interface Gap {
  reason: string;
  /** When it was found, wall clock in ms since 1970. */
  foundMs: number;
}

/**
 * What stands in place of rows that damage has cost: a chunk without rows, with the same checksum over content and
 * place as any other. So a gap has its numbers for good, they are not given again, and a version that does not know
 * of gaps takes it for a damaged chunk, which it is.
 */
export function writeGap(place: ChunkPlace, { reason, foundMs }: Gap): Buffer {
  // Begins like the names of a chunk, so that a search for chunks finds gaps as well.
  const text = Buffer.from(JSON.stringify([[['gap'], reason]]), 'utf8');
  const body = Buffer.alloc(HEADER_BYTES + text.length);
  body.writeUInt32LE(GAP_VERSION, 4);
  body.writeDoubleLE(foundMs, 8);
  body.writeUInt32LE(place.last - place.first + 1, 16);
  body.writeUInt32LE(text.length, 20);
  text.copy(body, HEADER_BYTES);
  body.writeUInt32LE(checksum(body, place), 0);
  return body;
}

/** Undefined when it is not a gap that was written for this place. */
export function readGap(body: Buffer, place: ChunkPlace): Gap | undefined {
  if (body.length < HEADER_BYTES || body.readUInt32LE(4) !== GAP_VERSION) return undefined;
  if (body.readUInt32LE(0) !== checksum(body, place)) return undefined;
  const [[, reason]] = JSON.parse(body.toString('utf8', HEADER_BYTES)) as [[string[], string]];
  return { reason, foundMs: body.readDoubleLE(8) };
}
