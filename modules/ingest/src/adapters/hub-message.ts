import { check, describeProblems } from '@holdfast/contracts';
import type { z } from 'zod';

/** Reads a message of another module. One that cannot be understood is handed to `ignore`, never thrown. */
export function readMessage<S extends z.ZodType>(
  schema: S,
  body: Buffer,
  ignore: (problems: string) => void,
): z.output<S> | undefined {
  const checked = check(schema, parsed(body));
  if (checked.ok) return checked.value;
  ignore(describeProblems(checked.problems));
  return undefined;
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
