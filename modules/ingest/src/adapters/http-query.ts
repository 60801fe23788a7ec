import { check, formatPath } from '@holdfast/contracts';
import { z } from 'zod';
import type { Fault } from '../domain/fault.ts';

/** Parameters of `POST /v1/readings`. */
export const ReadingsQuery = z.strictObject({
  asset: z.string().optional(),
  zone: z.literal('UTC').optional(),
  delimiter: z.enum([',', ';', '\t', '|']).optional(),
});
export type ReadingsQuery = z.infer<typeof ReadingsQuery>;

/** Parameters of a request, or what is wrong with the first that is. */
export function readQuery(query: unknown): ReadingsQuery | { fault: Fault } {
  const checked = check(ReadingsQuery, query);
  if (checked.ok) return checked.value;
  const [found] = checked.problems;
  const fault: Fault = {
    code: 'shape',
    path: formatPath(['query', found?.path ?? '']),
    allowed: found?.allowed ?? 'must be known',
  };
  if (found?.value !== undefined) fault.value = found.value;
  return { fault };
}
