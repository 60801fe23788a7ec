import { faultOf } from './fault.ts';
import type { Intake } from './intake.ts';
import { type CsvHeader, readCsvHeader, readCsvRows } from './read-csv.ts';
import { readJsonText, readNdjson } from './read-text.ts';

/** What the lines of one file have in common. */
export type FileFormat = { kind: 'json' } | { kind: 'ndjson' } | { kind: 'csv'; header: CsvHeader };

/** Format by the ending of a file name; undefined for files that are none of ours. */
export function formatOfFile(name: string): 'json' | 'ndjson' | 'csv' | undefined {
  if (name.startsWith('.')) return undefined;
  const ending = /\.(csv|ndjson|json)$/i.exec(name)?.[1]?.toLowerCase();
  return ending as 'json' | 'ndjson' | 'csv' | undefined;
}

/** Reads the header line of a CSV file into its format. A file without a good header is refused as a whole. */
export function openCsv(headerLine: string, intake: Intake): FileFormat | undefined {
  const header = readCsvHeader(headerLine, intake, {});
  if (!('fault' in header)) return { kind: 'csv', header };
  intake.refuse(1, header.fault);
  return undefined;
}

/** Reads whole lines of a file; `firstLine` is the number of the first. */
export function readChunk(
  text: string,
  format: FileFormat,
  intake: Intake,
  firstLine: number,
): void {
  if (format.kind === 'json') readJsonText(text, intake, {});
  else if (format.kind === 'ndjson') readNdjson(text, intake, { firstLine });
  else readCsvRows(text, format.header, intake, { firstLine });
}

/** Number of line ends in a chunk. */
export function linesIn(chunk: Uint8Array): number {
  let lines = 0;
  for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines += 1;
  return lines;
}

/** A whole file that is larger than can be read at once. */
export const fileTooLarge = (bytes: number, bytesMax: number) =>
  faultOf(
    'body-too-large',
    '',
    bytes,
    `must be at most ${bytesMax} bytes; .ndjson and .csv files have no limit`,
  );
