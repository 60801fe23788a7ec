import { describeProblem, type Problem } from '@holdfast/contracts';

/** The environment is not one in which the module can start. The process ends with exit code 78. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly code = 'HOST_CONFIGURATION';
  /** One clear line each. */
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.problems = problems;
  }
}

/** The workload API did not do what was asked. */
export class WorkloadError extends Error {
  override readonly name = 'WorkloadError';
  readonly code = 'HOST_WORKLOAD';
}

export const linesOf = (problems: readonly Problem[]): string[] => problems.map(describeProblem);
