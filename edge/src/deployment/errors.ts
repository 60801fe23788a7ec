import { describeProblem, type Problem } from '@holdfast/contracts';

export type DeploymentErrorCode =
  /** A file is missing or cannot be read. */
  | 'EDGE_FILE_UNREADABLE'
  /** The text is no JSON. */
  | 'EDGE_NOT_JSON'
  /** The document breaks the schema or names something that does not exist. */
  | 'EDGE_MANIFEST_INVALID'
  /** The manifest is right, but the local edge does not simulate what it asks for. */
  | 'EDGE_NOT_SIMULATED';

/** A deployment that cannot be used; `problems` has everything that is wrong with it. */
export class DeploymentError extends Error {
  readonly code: DeploymentErrorCode;
  readonly problems: readonly Problem[];

  constructor(code: DeploymentErrorCode, what: string, problems: readonly Problem[] = []) {
    super([what, ...problems.map((problem) => `  ${describeProblem(problem)}`)].join('\n'));
    this.name = 'DeploymentError';
    this.code = code;
    this.problems = problems;
  }
}
