import type { z } from 'zod';

/** One thing that is wrong with a document: where, which value, what is allowed. */
export interface Problem {
  /** Dotted path with `[n]` for array items; empty for the document itself. */
  path: string;
  /** The value found, shortened to 80 characters; absent when there was none. */
  value?: string;
  /** What would have been accepted, as a sentence part. */
  allowed: string;
}

export type Checked<T> = { ok: true; value: T } | { ok: false; problems: Problem[] };

/**
 * Checks a document against a schema and says everything that is wrong with it at once.
 * Never throws; the value is only usable when `ok`.
 */
export function check<S extends z.ZodType>(schema: S, document: unknown): Checked<z.output<S>> {
  const result = schema.safeParse(document, { reportInput: true });
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, problems: result.error.issues.flatMap((issue) => problemsOf(issue)) };
}

/** One line for a person: `inputs.rows: 0 is not allowed, must be at least 1`. */
export function describeProblem(problem: Problem): string {
  const where = problem.path === '' ? 'document' : problem.path;
  return problem.value === undefined
    ? `${where}: ${problem.allowed}`
    : `${where}: ${problem.value} is not allowed, ${problem.allowed}`;
}

/** All problems on one line, the first `limit` in full. */
export function describeProblems(problems: readonly Problem[], limit = 5): string {
  const shown = problems.slice(0, limit).map(describeProblem).join('; ');
  return problems.length > limit ? `${shown}; and ${problems.length - limit} more` : shown;
}

type Issue = z.core.$ZodIssue;

function problemsOf(issue: Issue): Problem[] {
  const path = formatPath(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: path === '' ? key : `${path}.${key}`,
      allowed: 'is not a known name and must be left out',
    }));
  }
  const problem: Problem = { path, allowed: allowedBy(issue) };
  if (issue.input !== undefined) problem.value = showValue(issue.input);
  return [problem];
}

function allowedBy(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? `is missing, must be ${article(issue.expected)}`
        : `must be ${article(issue.expected)}`;
    case 'too_small':
      return `must ${issue.origin === 'string' || issue.origin === 'array' ? 'have' : 'be'} at least ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `must ${issue.origin === 'string' || issue.origin === 'array' ? 'have' : 'be'} at most ${issue.maximum}${unitOf(issue.origin)}`;
    case 'invalid_value':
      return `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
    case 'invalid_key':
      return issue.issues[0]?.message ?? issue.message;
    default:
      return issue.message;
  }
}

const unitOf = (origin: string): string => {
  if (origin === 'string') return ' characters';
  if (origin === 'array') return ' items';
  return '';
};

const article = (type: string): string => {
  const name = type === 'int' ? 'whole number' : type;
  return /^[aeiou]/.test(name) ? `an ${name}` : `a ${name}`;
};

/** `['a', 0, 'b']` becomes `a[0].b`. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? String(part) : `.${String(part)}`;
  }
  return text;
}

/** A value as it may appear in an error: JSON, at most 80 characters, and never `undefined`. */
export function showValue(value: unknown): string {
  let text: string;
  if (typeof value === 'number' && !Number.isFinite(value)) text = String(value);
  else text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
