import { type Fault, faultOf } from './fault.ts';
import type { Intake } from './intake.ts';
import { locateJsonError } from './locate-json-error.ts';
import { type ReadOptions, readJson } from './read-json.ts';

/** Longest line of NDJSON or CSV in characters. A row of 256 signals is about 6,000; blocks of columns may be larger. */
export const LINE_LENGTH_MAX = 1024 * 1024;

/** Reads one JSON text. What is not JSON counts as one refused row. */
export function readJsonText(text: string, intake: Intake, options: ReadOptions): void {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    intake.refuse(0, syntaxFault(text));
    return;
  }
  readJson(document, intake, options);
}

/** Reads NDJSON: one document a line; empty lines are skipped. `firstLine` is the number of the first line. */
export function readNdjson(
  text: string,
  intake: Intake,
  options: ReadOptions & { firstLine?: number },
): void {
  let line = options.firstLine ?? 1;
  for (let from = 0; from < text.length; line += 1) {
    const end = text.indexOf('\n', from);
    const to = end < 0 ? text.length : end;
    readLine(text.slice(from, to), line, intake, options);
    from = to + 1;
  }
}

function readLine(text: string, line: number, intake: Intake, options: ReadOptions): void {
  if (text.length > LINE_LENGTH_MAX) {
    intake.refuse(line, lineFault(text.length));
    return;
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    if (text.trim() !== '') intake.refuse(line, syntaxFault(text));
    return;
  }
  readJson(document, intake, options, { line });
}

/** A line that is longer than any source may send. */
export const lineFault = (length: number): Fault =>
  faultOf('line-too-long', '', length, `must be at most ${LINE_LENGTH_MAX} characters`);

/** Says where a text stops being JSON. */
export function syntaxFault(text: string): Fault {
  const place = locateJsonError(text);
  if (place === undefined) return { code: 'json-syntax', path: '', allowed: 'must be JSON' };
  const path = `line ${place.line}, column ${place.column}`;
  return place.found === ''
    ? { code: 'json-syntax', path, allowed: 'must be JSON, and the text ends too early' }
    : faultOf(
        'json-syntax',
        path,
        place.found,
        'must be JSON (no NaN, no comments, double quotes)',
      );
}
