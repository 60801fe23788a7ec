/**
 * Whatever comes in, no reader throws, and every row ends up accepted or refused, never both and never neither.
 * Method: any JSON value and any text through every reader, and documents that are nearly right.
 */
import { describe, expect, it } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { anIntake, NOW_MS } from '../testing/an-intake.ts';
import { refusalBody } from './answers.ts';
import type { Intake } from './intake.ts';
import { locateJsonError } from './locate-json-error.ts';
import { cellsOf, readCsv } from './read-csv.ts';
import { readHubDocument } from './read-opc.ts';
import { readJsonText, readNdjson } from './read-text.ts';

const nearlyTime = fc.oneof(
  fc.integer({ min: NOW_MS - 1e6, max: NOW_MS + 1e6 }),
  fc.constant('2026-11-23T12:00:00Z'),
  fc.jsonValue(),
);
const nearlyNumber = fc.oneof(
  { weight: 8, arbitrary: fc.double() },
  fc.constant(null),
  fc.jsonValue(),
);
const nearlyName = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'pump 1') },
  fc.string(),
);
const nearlySingle = fc.record(
  { asset: nearlyName, t: nearlyTime, values: fc.dictionary(nearlyName, nearlyNumber) },
  { requiredKeys: [] },
);
const nearlyColumns = fc.record(
  {
    asset: nearlyName,
    signals: fc.array(nearlyName, { maxLength: 3 }),
    t: fc.array(nearlyTime, { maxLength: 3 }),
    values: fc.array(fc.array(nearlyNumber, { maxLength: 3 }), { maxLength: 3 }),
  },
  { requiredKeys: [] },
);
const nearlyOpc = fc.record(
  {
    MessageType: fc.constantFrom('ua-data', 'ua-metadata'),
    Messages: fc.oneof(
      fc.array(
        fc.record(
          {
            DataSetWriterName: nearlyName,
            Timestamp: nearlyTime,
            Payload: fc.dictionary(fc.string(), nearlyNumber),
          },
          { requiredKeys: [] },
        ),
      ),
      fc.jsonValue(),
    ),
    NodeId: fc.jsonValue(),
    Value: fc.jsonValue(),
  },
  { requiredKeys: [] },
);
const item = fc.oneof(nearlySingle, nearlyColumns, nearlyOpc, fc.jsonValue());
const document = fc.oneof(item, fc.array(item, { maxLength: 5 }));

/** Everything that must be true of an intake whatever went in. */
function expectWhole(intake: Intake): void {
  const byCode = [...intake.refusedByCode.values()].reduce((sum, count) => sum + count, 0);
  expect(byCode).toBe(intake.refusedCount);
  expect(intake.places).toHaveLength(intake.accepted.length);
  expect(intake.refusals.length > 0).toBe(intake.refusedCount > 0);
  for (const { t, signals, values } of intake.accepted) {
    expect(Number.isSafeInteger(t)).toBe(true);
    expect(values).toHaveLength(signals.length);
    expect(values.every((value) => value === null || Number.isFinite(value))).toBe(true);
  }
  JSON.stringify(refusalBody(intake));
}

/** Rows of a document of the HTTP forms, counted without the code under test. */
function rowsOf(found: unknown): number {
  const items = Array.isArray(found) ? found : [found];
  return items.reduce((sum: number, each: unknown) => {
    const t = typeof each === 'object' && each !== null && 't' in each ? each.t : undefined;
    return sum + (Array.isArray(t) && !Array.isArray(each) ? Math.max(1, t.length) : 1);
  }, 0);
}

describe('any input', () => {
  it('as JSON: accepted and refused rows are all rows', () => {
    fc.assert(
      fc.property(document, (value) => {
        const intake = anIntake();
        readJsonText(JSON.stringify(value), intake, {});
        expectWhole(intake);
        expect(intake.rows).toBe(rowsOf(JSON.parse(JSON.stringify(value))));
      }),
      { numRuns: 500 },
    );
  });

  it('as NDJSON: accepted and refused rows are the rows of all lines', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(document, fc.constant(undefined)), { maxLength: 5 }),
        (values) => {
          const lines = values.map((value) =>
            value === undefined ? '{"t":' : JSON.stringify(value),
          );
          const intake = anIntake({ unit: 'line' });
          readNdjson(lines.join('\n'), intake, {});
          expectWhole(intake);
          const rows = values.map((value) =>
            value === undefined ? 1 : rowsOf(JSON.parse(JSON.stringify(value))),
          );
          expect(intake.rows).toBe(rows.reduce((sum, count) => sum + count, 0));
        },
      ),
    );
  });

  it('as a hub message', () => {
    fc.assert(
      fc.property(document, (value) => {
        const intake = anIntake();
        readHubDocument(JSON.parse(JSON.stringify(value)), intake, { asset: 'sender' });
        expectWhole(intake);
      }),
      { numRuns: 500 },
    );
  });

  it('as any text, with a place for what is not JSON', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => {
        const intake = anIntake();
        readJsonText(text, intake, {});
        expectWhole(intake);
      }),
    );
  });

  it('locateJsonError agrees with JSON.parse on what is JSON', () => {
    const cut = fc
      .tuple(fc.json(), fc.nat(), fc.string({ maxLength: 2 }))
      .map(([text, at, put]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + put + text.slice(place + 1);
      });
    fc.assert(
      fc.property(fc.oneof(cut, fc.json()), (text) => {
        let good = true;
        try {
          JSON.parse(text);
        } catch {
          good = false;
        }
        expect(locateJsonError(text) === undefined).toBe(good);
      }),
      { numRuns: 1000 },
    );
  });

  it('as CSV: every line after a good header is one row', () => {
    const cell = fc.oneof(
      fc.double().map(String),
      fc.constantFrom('', '1', '"1"', '"', 'p1', String(NOW_MS)),
      fc.string({ maxLength: 5 }).map((text) => text.replace(/[\r\n]/g, '')),
    );
    const line = fc
      .array(cell, { minLength: 1, maxLength: 4 })
      .map((cells) => cells.join(','))
      .filter((text) => text !== '');
    fc.assert(
      fc.property(fc.array(line, { maxLength: 6 }), (lines) => {
        const intake = anIntake({ unit: 'line' });
        readCsv(['asset,t,a', ...lines].join('\n'), intake, {});
        expectWhole(intake);
        expect(intake.rows).toBe(lines.length);
      }),
    );
  });

  it('as CSV: a line has the cells that another parser finds', () => {
    const piece = fc.constantFrom('a', '1.5', ',', '"', '""', ' ', ';', 'ü');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const line = pieces.join('');
        let expected: string[] | undefined;
        try {
          // No record at all is a line of one empty cell.
          expected = (parse(line) as string[][])[0] ?? [''];
        } catch {
          expected = undefined;
        }
        expect(cellsOf(line, {})).toEqual(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it('as CSV: quoted lines mean what plain lines mean', () => {
    const row = fc.tuple(
      fc.constantFrom('p1', 'p2', ''),
      fc.constantFrom(String(NOW_MS), '2026-11-23T12:00:00Z', 'x'),
      fc.oneof(fc.double({ noNaN: true }).map(String), fc.constant('')),
    );
    fc.assert(
      fc.property(fc.array(row, { maxLength: 5 }), (rows) => {
        const read = (quote: string): Intake => {
          const intake = anIntake({ unit: 'line' });
          const lines = rows.map((cells) => cells.map((cell) => quote + cell + quote).join(','));
          readCsv(['asset,t,a', ...lines].join('\n'), intake, {});
          return intake;
        };
        expect(read('"').accepted).toEqual(read('').accepted);
      }),
    );
  });
});
