import type { StreamRow } from './partition.ts';

/**
 * The second copy of the table of streams. Triggers keep it, so that it is right also after a version that does not
 * know of it has written. Each row proves itself: the text, and the text again in hexadecimal. That is found in any
 * page of a damaged file, and no damage makes one into another.
 */
export const STREAM_COPY_SQL = `
  CREATE TABLE IF NOT EXISTS streamCopy (
    partition INTEGER PRIMARY KEY, line TEXT NOT NULL, proof TEXT NOT NULL
  ) STRICT;
  ${['INSERT', 'UPDATE']
    .map(
      (event) => `CREATE TRIGGER IF NOT EXISTS copyOn${event} AFTER ${event} ON stream BEGIN
    DELETE FROM streamCopy WHERE partition = NEW.partition;
    INSERT INTO streamCopy SELECT NEW.partition, line, hex(line) FROM (SELECT
      'stream/' || NEW.partition || '/' || NEW.epoch || '/' || NEW.base || '/' || NEW.receipted || '/' ||
      NEW.lost || '/' AS line);
  END;`,
    )
    .join('\n')}
`;

const LINE = /stream\/(\d{1,3})\/([A-Za-z0-9-]{1,64})\/(\d{1,16})\/(\d{1,16})\/(\d{1,16})\//g;

export const lineOf = ({ partition, epoch, base, receipted, lost }: StreamRow): string =>
  `stream/${partition}/${epoch}/${base}/${receipted}/${lost}/`;

/** Hexadecimal as SQLite's `hex` writes it. */
export const proofOf = (line: string): string => Buffer.from(line).toString('hex').toUpperCase();

/** Every row of the second copy that proves itself in these bytes. */
export function streamLinesIn(bytes: Buffer): StreamRow[] {
  if (!bytes.includes('stream/')) return [];
  const text = bytes.toString('latin1');
  const rows: StreamRow[] = [];
  for (const match of text.matchAll(LINE)) {
    const [line, partition, epoch, base, receipted, lost] = match;
    if (!text.startsWith(proofOf(line), match.index + line.length)) continue;
    rows.push({
      partition: Number(partition),
      epoch: epoch!,
      base: Number(base),
      receipted: Number(receipted),
      lost: Number(lost),
    });
  }
  return rows;
}
