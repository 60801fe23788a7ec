import type { Fault } from './fault.ts';
import type { Intake, Refusal } from './intake.ts';
import type { RowOutcome } from './outcome-waiters.ts';

/** Body of an answer to `POST /v1/readings`, when at least one row was accepted. */
export interface Acceptance {
  accepted: number;
  refusedCount: number;
  /** The first refused rows. */
  refused: readonly Refusal[];
  receipt: string;
}

/** Problem details (RFC 9457), with the refused rows as an extension. */
export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  accepted?: number;
  refusedCount?: number;
  refused?: readonly Refusal[];
}

/** `slug` ends up in the type: `urn:holdfast:problem:<slug>`. */
export const problemBody = (
  status: number,
  slug: string,
  title: string,
  detail: string,
): ProblemBody => ({ type: `urn:holdfast:problem:${slug}`, title, status, detail });

/** One fault of the request as a whole. */
export function faultBody(status: number, title: string, fault: Fault): ProblemBody {
  return {
    ...problemBody(status, fault.code, title, sentenceOf(fault)),
    accepted: 0,
    refused: [fault],
  };
}

/** No row was accepted. */
export function refusalBody(intake: Intake): ProblemBody {
  const first = intake.refusals[0];
  const detail =
    first === undefined
      ? 'the body must hold at least one reading'
      : `${placeOf(first)}${sentenceOf(first)}`;
  return {
    ...problemBody(400, 'readings-refused', 'No reading was accepted', detail),
    accepted: 0,
    refusedCount: intake.refusedCount,
    refused: intake.refusals,
  };
}

export const acceptanceOf = (intake: Intake, receipt: string): Acceptance => ({
  accepted: intake.accepted.length,
  refusedCount: intake.refusedCount,
  refused: intake.refusals,
  receipt,
});

/** What became of each accepted row, in the order of the request; `unit` names the number. */
export const resultsOf = (
  unit: 'row' | 'line',
  places: readonly number[],
  outcomes: readonly RowOutcome[],
): Record<string, unknown>[] =>
  outcomes.map(({ seq: _, ...outcome }, index) => ({ [unit]: places[index], ...outcome }));

const placeOf = ({ row, line }: Refusal): string => {
  if (line !== undefined) return `line ${line}: `;
  return row === undefined ? '' : `row ${row}: `;
};

function sentenceOf({ path, value, allowed }: Fault): string {
  const where = path === '' ? 'it' : path;
  return value === undefined ? `${where} ${allowed}` : `${where}: ${value} ${allowed}`;
}
